"""Flower's REST API, for scripts that were written for it."""

from fastapi import APIRouter

#: What the app includes.
routers: list[APIRouter] = []
