"""Words of what people see of paid calls on a terminal (limits, breakers, budgets, usage), in two languages."""

from functools import partial
from typing import Final

from growbin_jobs.sentences import Words, worded

_WORDS: Final[Words] = {
    # of limits
    "no limits": {
        "en": "There are no limits yet. The workers make them when they start with a model server.",
        "ko": "아직 제한이 없습니다. 워커가 모델 서버와 함께 시작하면 만들어집니다.",
    },
    "limit": {"en": "limit", "ko": "제한"},
    "at most": {"en": "at most", "ko": "최대"},
    "last minute": {"en": "last minute", "ko": "지난 1분"},
    "waiting": {"en": "waiting", "ko": "대기"},
    "set by": {"en": "set by", "ko": "설정 주체"},
    "setting": {"en": "setting", "ko": "설정값"},
    "person": {"en": "person", "ko": "운영자"},
    "held": {"en": " held {seconds} s", "ko": " {seconds}초간 보류"},
    "what waits": {
        "en": "Waiting: analyses that wait for the limit or are being answered.",
        "ko": "대기: 제한의 차례를 기다리거나 응답을 받고 있는 분석입니다.",
    },
    "limit set": {
        "en": "{name} is at most {rate} from now on. Of that {use} is used under full load.",
        "ko": "지금부터 {name}은(는) 최대 {rate}입니다. 최대 부하에서 그중 {use}을(를) 사용합니다.",
    },
    "kept back": {
        "en": "Of {name}, {units} are kept back for nodes that cannot reach the database, in all.",
        "ko": "{name} 가운데 모두 {units}건을 데이터베이스에 연결할 수 없는 노드를 위해 남겨 둡니다.",
    },
    "nothing kept back": {
        "en": "Nothing of {name} is kept back for nodes that cannot reach the database. Their calls wait.",
        "ko": "데이터베이스에 연결할 수 없는 노드를 위해 남겨 두는 {name}은(는) 없습니다. 그 노드의 호출은 기다립니다.",
    },
    # the plan
    "pictures": {"en": "{number} pictures", "ko": "사진 {number}장"},
    "takes": {"en": "takes", "ko": "걸리는 시간"},
    "until": {"en": "{span}, until {end} ({zone})", "ko": "{span}, {end}까지 ({zone})"},
    "decides": {
        "en": "{limit} decides: {rate} pictures a minute",
        "ko": "{limit}이(가) 속도를 정합니다: 1분에 사진 {rate}장",
    },
    "none": {"en": "none", "ko": "없음"},
    "threads": {"en": "threads", "ko": "스레드"},
    "suffice": {"en": "{threads} suffice in the group ai", "ko": "ai 그룹에 {threads}개면 충분합니다"},
    "costs": {"en": "costs", "ko": "비용"},
    "cost not known": {
        "en": "not known: no request of the last 7 days has a price",
        "ko": "알 수 없음: 지난 7일의 요청 가운데 가격이 있는 것이 없습니다",
    },
    "need": {
        "en": "{seconds} s, {tokens} tokens a request ({source})",
        "ko": "요청당 {seconds}초, {tokens}토큰 ({source})",
    },
    "of the past": {"en": "{requests} requests of the last 7 days", "ko": "지난 7일의 요청 {requests}건"},
    "assumed": {"en": "assumed, nothing was sent yet", "ko": "아직 보낸 것이 없어 가정한 값"},
    # batches
    "no batches": {"en": "No batch was made yet.", "ko": "아직 만든 배치가 없습니다."},
    "batch": {"en": "batch", "ko": "배치"},
    "state": {"en": "state", "ko": "상태"},
    "answered": {"en": "answered", "ko": "응답"},
    "in standard": {"en": "in standard", "ko": "표준"},
    "made": {"en": "made", "ko": "생성"},
    "batch waits": {
        "en": "{number} requests to {model} wait for the next batch, the first of them for {seconds} s.",
        "ko": "{model} 요청 {number}건이 다음 배치를 기다립니다. 가장 오래된 것은 {seconds}초째입니다.",
    },
    "batch ends": {
        "en": "The batch {id} ends within minutes. What it has not answered is asked in the standard tier.",
        "ko": "배치 {id}은(는) 몇 분 안에 끝납니다. 응답하지 못한 요청은 표준 등급으로 보냅니다.",
    },
    # the proof
    "promised": {"en": "promised", "ko": "약속"},
    "most in any": {"en": "most in any", "ko": "한 구간 최대"},
    "used": {"en": "used", "ko": "사용률"},
    "in all": {"en": "in all", "ko": "합계"},
    "kept": {"en": "kept", "ko": "지킴"},
    "broken": {"en": "BROKEN in {windows} windows", "ko": "{windows}개 구간에서 어김"},
    "since": {"en": "since", "ko": "시작"},
    "requests": {"en": "requests", "ko": "요청"},
    "analyses": {"en": "analyses", "ko": "분석"},
    "each": {"en": "{analyses}, {requests} requests each", "ko": "{analyses}건, 분석당 요청 {requests}건"},
    "cost": {"en": "cost", "ko": "비용"},
    "and unpriced": {"en": " and {requests} unpriced", "ko": " 외에 가격을 모르는 요청 {requests}건"},
    "what used is": {
        "en": "Used: of the promise, in the busiest ten windows in a row.",
        "ko": "사용률: 가장 바쁜 연속 10개 구간에서 약속한 양 가운데 사용한 비율입니다.",
    },
    "books wrong": {
        "en": "{day}: the totals of the budget are not what its reservations add up to.",
        "ko": "{day}: 예산 합계가 예약한 금액의 합과 다릅니다.",
    },
    "all kept": {"en": "Every promise was kept.", "ko": "모든 약속을 지켰습니다."},
    "not all kept": {"en": "A promise was broken.", "ko": "지키지 못한 약속이 있습니다."},
    # of breakers
    "no breakers": {"en": "No breaker has seen a failure yet.", "ko": "아직 실패를 겪은 차단기가 없습니다."},
    "closed": {"en": "closed", "ko": "정상"},
    "open": {"en": "open", "ko": "차단"},
    "operator": {"en": "operator", "ko": "조치 필요"},
    "since when": {"en": "  since {since}", "ko": "  {since}부터"},
    "next probe": {"en": "next probe {at}", "ko": "다음 확인 {at}"},
    "server limits": {
        "en": "the server limits the rate; it waits until {until}",
        "ko": "서버가 요청 수를 제한하고 있어 {until}까지 기다립니다",
    },
    "times": {"en": "Times in {zone}.", "ko": "시각은 {zone} 기준입니다."},
    "is closed": {"en": "{name} is closed.", "ko": "{name}을(를) 정상으로 되돌렸습니다."},
    # of budgets
    "no cap": {"en": "no limit", "ko": "제한 없음"},
    "cap": {"en": "{dollars} USD a day", "ko": "하루 {dollars} USD"},
    "as before": {"en": " (as before)", "ko": " (전과 같음)"},
    "nothing reserved": {
        "en": "Nothing was reserved on {day} ({zone}).",
        "ko": "{day}({zone})에 예약한 금액이 없습니다.",
    },
    "of": {"en": "of", "ko": "비율"},
    "spent": {"en": "spent", "ko": "사용"},
    "settled": {"en": "settled", "ko": "정산"},
    "unknown": {"en": "unknown", "ko": "불명"},
    "reserved": {"en": "open", "ko": "예약 중"},
    "left": {"en": "left", "ko": "남음"},
    "day of": {"en": "USD; the day of {zone}.", "ko": "USD; 날짜는 {zone} 기준입니다."},
    # of usage
    "not known": {"en": "(not known)", "ko": "(알 수 없음)"},
    "no usage": {
        "en": "No request to a model server in these days.",
        "ko": "이 기간에 모델 서버로 보낸 요청이 없습니다.",
    },
    "day": {"en": "day", "ko": "날짜"},
    "model": {"en": "model", "ko": "모델"},
    "user": {"en": "user", "ko": "사용자"},
    "purpose": {"en": "purpose", "ko": "용도"},
    "tier": {"en": "price tier", "ko": "요금 등급"},
    "tokens in": {"en": "tokens in", "ko": "입력 토큰"},
    "cached": {"en": "cached", "ko": "캐시"},
    "out": {"en": "out", "ko": "출력"},
    "unpriced": {"en": "unpriced", "ko": "가격 모름"},
    "more of them": {
        "en": "{count} more are not shown; --json has all of them.",
        "ko": "{count}개는 보이지 않았습니다. --json에는 모두 나옵니다.",
    },
    "others": {"en": "{count} others (--csv shows them)", "ko": "그 밖의 {count}개 (--csv에는 모두 나옵니다)"},
    "total": {"en": "total", "ko": "합계"},
    "have no price": {
        "en": "{requests} requests have no known price and are not in the sums of money.",
        "ko": "요청 {requests}건은 가격을 몰라 금액 합계에 들어 있지 않습니다.",
    },
    "days of": {"en": "Days of {zone}.", "ko": "날짜는 {zone} 기준입니다."},
}


#: A word or a sentence in a language, with the values of its placeholders.
word = partial(worded, _WORDS)
