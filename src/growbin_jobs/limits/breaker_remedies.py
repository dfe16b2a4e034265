"""What a person is told of an open breaker: what is wrong and what to do, in Korean and English."""

from typing import Final

from growbin_jobs.reasons import Language

#: By the breaker's reason.
_REMEDIES: Final[dict[str, dict[Language, str]]] = {
    "failed": {
        "ko": "서버가 오류로 응답합니다. 공급자의 상태 페이지를 확인하세요. 복구되면 자동으로 다시 시작합니다.",
        "en": "The server answers with errors. See the provider's status page. Work resumes by itself.",
    },
    "timeout": {
        "ko": "서버가 제때 응답하지 않습니다. 공급자의 상태 페이지를 확인하세요. 복구되면 자동으로 다시 시작합니다.",
        "en": "The server does not answer in time. See the provider's status page. Work resumes by itself.",
    },
    "unreachable": {
        "ko": "서버에 연결할 수 없습니다. 주소와 네트워크를 확인하세요. 복구되면 자동으로 다시 시작합니다.",
        "en": "The server cannot be reached. Check its address and the network. Work resumes by itself.",
    },
    "rate_limited": {
        "ko": "서버가 요청 속도를 제한합니다. 같은 키를 쓰는 다른 프로그램이 있는지 확인하거나 제한 설정을 낮추세요. "
        "기다리지 않고 다시 요청하려면 growbin-jobs breakers reset을 실행하세요.",
        "en": "The server limits the rate. See whether something else uses the same key, or lower our limit. Not to "
        "wait as long as it asks: growbin-jobs breakers reset",
    },
    "model_quota_exhausted": {
        "ko": "모델 계정의 한도를 모두 썼습니다. 결제와 예산을 확인하세요. 해결되면 자동으로 다시 시작하며, "
        "바로 시작하려면 growbin-jobs breakers reset을 실행하세요.",
        "en": "The model's account has no quota left. Check its billing and budget. Work resumes by itself within a "
        "minute, or at once by: growbin-jobs breakers reset",
    },
    "model_access_denied": {
        "ko": "모델 서버가 키를 거부합니다. OPENAI_API_KEY를 확인하고, 바꾸었다면 작업자를 다시 시작하세요.",
        "en": "The model's server refuses the key. Check OPENAI_API_KEY; restart the workers after a change.",
    },
    "model_forbidden": {
        "ko": "이 키에는 모델을 사용할 권한이 없습니다. 공급자에서 프로젝트의 권한을 확인하세요.",
        "en": "The key may not use this model. Check the project's permissions at the provider.",
    },
    "model_not_offered": {
        "ko": "모델 서버에 이 모델이 없습니다. GROWBIN_VISION_MODEL과 GROWBIN_TEXT_MODEL을 후속 모델로 바꾸거나 "
        "GROWBIN_VISION_SUCCESSORS와 GROWBIN_TEXT_SUCCESSORS를 설정하세요.",
        "en": "The server does not offer this model. Set GROWBIN_VISION_MODEL and GROWBIN_TEXT_MODEL to its successor "
        "(growbin-jobs doctor names it), or set GROWBIN_VISION_SUCCESSORS and GROWBIN_TEXT_SUCCESSORS.",
    },
    "model_lacks_images": {
        "ko": "이 모델은 사진을 보지 못합니다. GROWBIN_VISION_MODEL을 사진을 보는 모델로 바꾸거나, 서버를 비전 기능과 "
        "함께 시작하세요(llama.cpp: --mmproj).",
        "en": "This model looks at no pictures. Set GROWBIN_VISION_MODEL to one that does, or start the server with "
        "its part for pictures (llama.cpp: --mmproj).",
    },
    "model_address_wrong": {
        "ko": "이 주소에는 모델 서버가 없는 것 같습니다. OPENAI_BASE_URL(보통 /v1로 끝남)과 그 앞의 프록시를 확인하세요"
        "(growbin-jobs doctor).",
        "en": "There is no model's server at this address, it seems. Check OPENAI_BASE_URL, which usually ends in /v1, "
        "and the proxy before it: growbin-jobs doctor",
    },
    "model_rejected_request": {
        "ko": "모델 서버가 모든 요청을 거절합니다. OPENAI_BASE_URL과 모델 설정을 확인하세요(growbin-jobs doctor).",
        "en": "The server rejects every request. Check OPENAI_BASE_URL and the model's settings: growbin-jobs doctor",
    },
    "objects_misconfigured": {
        "ko": "사진 저장소가 접근을 거부하거나 설정이 잘못되었습니다. 자격 증명과 버킷을 확인하세요"
        "(growbin-jobs doctor).",
        "en": "The object store refuses access or is not set up. Check its credentials and bucket: growbin-jobs doctor",
    },
    "objects_refused": {
        "ko": "사진 저장소가 사진을 읽지 못하게 합니다. 버킷 정책과 각 객체의 읽기 권한을 확인하세요.",
        "en": "The object store lets us read no picture. Check the bucket's policy and the right to read its objects.",
    },
    "hook_gone": {
        "ko": "분석 결과를 알릴 주소가 410(사라짐)으로 응답하여 더는 알리지 않습니다. GROWBIN_COMPLETION_URL을 "
        "바꾸거나 지운 뒤 growbin-jobs breakers reset을 실행하세요.",
        "en": "The receiver of completions answers that it is gone (410), so it is told nothing more. Change or unset "
        "GROWBIN_COMPLETION_URL, then: growbin-jobs breakers reset",
    },
}

#: Reasons that have a remedy.
REASONS: Final = frozenset(_REMEDIES)


def remedy(reason: str, language: Language) -> str:
    """Return what is wrong and what to do; empty for a reason of a newer version."""
    return _REMEDIES.get(reason, {}).get(language, "")
