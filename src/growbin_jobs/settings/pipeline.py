"""Settings of the main job: what people read, the object store, pictures, retries and time limits of the stages."""

from typing import Annotated

from pydantic import BaseModel, Field

from growbin_jobs.engine.settings import Count, Retries, Seconds
from growbin_jobs.reasons import Language
from growbin_jobs.settings.kinds import Folders, HomePath


class PipelineSettings(BaseModel):
    """Part of :class:`growbin_jobs.settings.Settings`."""

    language: Language = Field(
        default="ko",
        description="Language of the advice and of the reasons for a failure: ko or en. Unset, commands speak the "
        "language of the terminal's locale.",
    )
    rules_dir: HomePath | None = Field(
        default=None, description="Folder with your own rules instead of those that are installed."
    )

    object_store_url: str | None = Field(
        default=None,
        description="s3://bucket for S3 (credentials from the usual AWS chain). Unset: a folder in the data folder; "
        "file:///path: that folder.",
    )
    s3_endpoint_url: str | None = Field(
        default=None,
        description="Address of an S3-compatible server, with its path. The bucket goes into the host's name where the "
        "server wants that. Unset: AWS.",
    )
    s3_pool_size: Count = Field(
        default=200, description="HTTP connections to S3 that one process keeps and uses at most."
    )
    s3_timeout: Seconds = Field(
        default=20.0, description="Seconds to wait for S3 to connect or to send the next bytes."
    )
    spool_dirs: Folders = Field(
        default_factory=list,
        description="Folders, separated by ':', that image_path may point into. With {user_id} in its path, such as "
        "/spool/{user_id}, a folder is for that user's messages only. Default: spool in the data folder.",
    )

    upload_max_bytes: Count = Field(default=25_000_000, description="Largest accepted picture file, in bytes.")
    upload_max_pixels: Count = Field(default=100_000_000, description="Largest accepted JPEG, in pixels.")
    upload_max_pixels_lossless: Count = Field(
        default=36_000_000,
        description="Largest accepted PNG, WebP, HEIC or progressive JPEG, in pixels: they are held in memory whole.",
    )
    picture_side: Annotated[int, Field(ge=1, le=8192)] = Field(
        default=2048, description="Largest side of the stored picture, in pixels."
    )
    picture_quality: Annotated[int, Field(ge=1, le=95)] = Field(
        default=85, description="JPEG quality of the stored pictures."
    )
    thumbnail_side: Count = Field(default=300, description="Largest side of the thumbnail, in pixels.")
    picture_threads: Count = Field(
        default=2, description="Pictures that one gevent process decodes at the same time, but no more than cores."
    )

    upload_retries: Retries = Field(default=3, description="Retries of stage 1, upload.")
    upload_backoff: Seconds = Field(
        default=10.0, description="Seconds before the first retry of stage 1; doubles, with jitter."
    )
    upload_time_limit: Seconds = Field(default=300.0, description="Seconds that stage 1 may run.")
    vision_retries: Retries = Field(default=5, description="Retries of stage 2, vision.")
    vision_backoff: Seconds = Field(
        default=30.0, description="Seconds before the first retry of stage 2; doubles, with jitter."
    )
    vision_time_limit: Seconds = Field(default=60.0, description="Seconds that stage 2 may run.")
    rule_retries: Retries = Field(default=3, description="Retries of stage 3, rules.")
    rule_backoff: Seconds = Field(
        default=5.0, description="Seconds before the first retry of stage 3; doubles, with jitter."
    )
    rule_time_limit: Seconds = Field(default=10.0, description="Seconds that stage 3 may run.")
    response_retries: Retries = Field(default=3, description="Retries of stage 4, response.")
    response_backoff: Seconds = Field(
        default=20.0, description="Seconds before the first retry of stage 4; doubles, with jitter."
    )
    response_time_limit: Seconds = Field(default=30.0, description="Seconds that stage 4 may run.")
