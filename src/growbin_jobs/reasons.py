"""The reasons for a failed analysis or job: codes, and their sentences in Korean and English.

A code is stored in the database and travels in messages; the sentence is made where it is shown. The codes of the
engine (retries spent, worker killed, …) are in :mod:`growbin_jobs.engine.reasons`.
"""

from growbin_jobs.engine.reasons import REASONS, Language, reason, register

__all__ = ["REASONS", "Language", "reason"]

_OF_ANALYSES: dict[str, dict[Language, str]] = {
    "picture_missing": {
        "ko": "사진 파일을 찾을 수 없습니다. 사진을 다시 올려 주세요.",
        "en": "The picture cannot be found. Upload it again.",
    },
    "picture_outside_spool": {
        "ko": "사진이 허용된 폴더 밖에 있습니다.",
        "en": "The picture lies outside the allowed spool folders (GROWBIN_SPOOL_DIRS).",
    },
    "picture_not_an_image": {
        "ko": "사진 파일이 아닙니다. JPEG, PNG, WebP 사진을 올려 주세요.",
        "en": "This file is not a picture that we accept. Send a JPEG, PNG or WebP photo.",
    },
    "picture_of_another_kind": {
        "ko": "이 사진({format})은 읽을 수 없는 방식으로 저장되어 있습니다. 일반 JPEG로 다시 저장해서 올려 주세요.",
        "en": "This picture ({format}) is stored in a way that we do not read. "
        "Save it as an ordinary JPEG and send that.",
    },
    "picture_needs_heic": {
        "ko": "이 서버는 HEIC 사진을 읽을 수 없습니다. JPEG로 바꾸어 올려 주세요.",
        "en": "HEIC pictures need the extra growbin-jobs[heic] on the worker. Send a JPEG instead.",
    },
    "picture_truncated": {
        "ko": "사진 파일이 손상되었거나 끝까지 올라오지 않았습니다. 다시 올려 주세요.",
        "en": "The picture is damaged or was not uploaded completely. Upload it again.",
    },
    "picture_too_small": {
        "ko": "사진이 너무 작습니다({width}×{height}). 한 변이 최소 {limit}픽셀이어야 합니다.",
        "en": "The picture is too small ({width}×{height}). Each side needs at least {limit} pixels.",
    },
    "picture_too_many_pixels": {
        "ko": "사진이 너무 큽니다({width}×{height}). {limit_megapixels}메가픽셀 이하로 줄여 주세요.",
        "en": "The picture is too large ({width}×{height}). At most {limit_megapixels} megapixels are accepted.",
    },
    "picture_too_narrow": {
        "ko": "사진의 가로세로 비율이 지나치게 깁니다({width}×{height}).",
        "en": "The picture's shape is too extreme ({width}×{height}).",
    },
    "picture_too_many_bytes": {
        "ko": "사진 파일이 너무 큽니다. {limit_megabytes}MB 이하만 받을 수 있습니다.",
        "en": "The picture file is too large. At most {limit_megabytes} MB are accepted.",
    },
    "picture_too_many_scans": {
        "ko": "사진의 구조가 비정상적입니다. 다시 저장해서 올려 주세요.",
        "en": "The picture has too many scans or frames ({count}, at most {limit}). Save it anew and send that.",
    },
    "picture_too_many_parts": {
        "ko": "사진 파일이 너무 많은 조각으로 이루어져 있습니다. 다시 저장해서 올려 주세요.",
        "en": "The picture's file is made of too many parts (more than {limit}). Save it anew and send that.",
    },
    "analysis_erased": {
        "ko": "이용자의 요청으로 이 분석의 개인정보를 삭제했습니다.",
        "en": "What was personal of this analysis was erased at its user's request.",
    },
    "object_missing": {
        "ko": "저장된 사진을 찾을 수 없습니다.",
        "en": "The stored picture cannot be found.",
    },
    "model_refused": {
        "ko": "모델이 이 사진에 답하기를 거부했습니다.",
        "en": "The model declined to answer for this picture.",
    },
    "model_answer_invalid": {
        "ko": "모델의 답이 약속된 형식과 다릅니다.",
        "en": "The model's answer did not have the agreed form: {detail}",
    },
    "model_rejected_request": {
        "ko": "모델 서버가 요청을 거절했습니다({status}).",
        "en": "The model's server rejected the request (HTTP {status}, {detail}).",
    },
    "model_not_offered": {
        "ko": "모델 서버에 모델 {model}이(가) 없습니다. 관리자에게 알려 주세요.",
        "en": "The model's server does not offer {model} (HTTP {status}). {detail}",
    },
    "model_lacks_images": {
        "ko": "모델 {model}은(는) 사진을 보지 못합니다. 관리자에게 알려 주세요.",
        "en": "The model {model} looks at no pictures (HTTP {status}, {detail}). "
        "Set GROWBIN_VISION_MODEL to one that does.",
    },
    "model_request_too_large": {
        "ko": "요청이 모델의 한도보다 큽니다(토큰 {requested}개, 한도 {limit}개). 관리자에게 알려 주세요.",
        "en": "The request needs {requested} tokens, more than the {limit} that the model's rate limit ever grants. "
        "Lower GROWBIN_VISION_SIDE, or ask the provider for a higher limit.",
    },
    "model_access_denied": {
        "ko": "모델을 사용할 권한이 없습니다. 관리자에게 알려 주세요.",
        "en": "The model's server denied access (HTTP {status}, {detail}). Check OPENAI_API_KEY and the model's name.",
    },
    "budget_spent": {
        "ko": "오늘의 예산을 모두 썼습니다. 내일 다시 시도해 주세요.",
        "en": "The day's budget is spent. Try again tomorrow, or raise it: growbin-jobs budgets set.",
    },
    "completion_not_told": {
        "ko": "분석 결과를 알릴 주소가 요청을 받지 않았습니다: {detail}",
        "en": "The completion hook did not take the message: {detail}. See GROWBIN_COMPLETION_URL.",
    },
    "model_quota_exhausted": {
        "ko": "모델 사용 한도를 모두 썼습니다. 관리자에게 알려 주세요.",
        "en": "The model's account has no quota left ({detail}). Check the plan and billing of the key.",
    },
}

#: Why a job of the platform was given up.
_OF_PLATFORM: dict[str, dict[Language, str]] = {
    "statistics_not_ended": {
        "ko": "{period} 기간이 아직 끝나지 않아 집계하지 않았습니다.",
        "en": "{period} has not ended: it is counted when it has.",
    },
    "statistics_facts_gone": {
        "ko": "{period} 기간의 원본 자료({sources})가 이미 삭제되어 집계할 수 없습니다.",
        "en": "{period} cannot be counted: older rows of {sources} are deleted.",
    },
    "archive_damaged": {
        "ko": "보관 파일 {archive}이(가) 손상되었습니다: {detail}",
        "en": "The archive {archive} is damaged: {detail}. Restore the object from a backup of the object store.",
    },
    "retention_not_counted": {
        "ko": "{source} 자료를 지우지 않았습니다. {periods} 집계가 아직 없습니다. growbin-jobs stats backfill을 "
        "실행하세요. 주간·월간 집계는 --kind weekly, --kind monthly를 붙입니다.",
        "en": "Nothing of {source} was deleted: {periods} is not counted yet. Run growbin-jobs stats backfill, with "
        "--kind weekly or --kind monthly where it is a week or a month.",
    },
}

register(_OF_ANALYSES)
register(_OF_PLATFORM)
