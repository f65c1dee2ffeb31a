"""An incident in a system of many services."""

from __future__ import annotations

import json
import random

from .talk import FIRST, NOUNS, Body, Talk, rows


def operations(chance: random.Random) -> list[Body]:
    """An incident: alerts, logs and metrics of many services, one of which is to blame."""
    talk = Talk(chance, "You are the on-call assistant. Find causes, propose steps, act only after approval.")
    services = [f"{noun}-{talk.one(('api', 'worker', 'gateway'))}" for noun in talk.some(NOUNS, 5, 10)]
    talk.user(f"We have alerts on {services[0]}. What's going on? Don't restart anything without asking me.")
    guilty = talk.one(services)
    seen: list[Body] = []
    for episode in range(chance.randint(2, 5)):
        if episode:
            guilty = talk.one(seen)["service"] if talk.maybe(0.4) else talk.one(services)
            asked = (f"{guilty} looks odd too. Check it.", f"Is {guilty} fine again?", f"Why did {guilty} restart?")
            talk.user(talk.one(asked))
        _episode(talk, services, guilty, seen)
    return talk.messages


def _log(talk: Talk, service: str, error: str | None) -> str:
    lines = [
        f"2025-06-0{talk.chance.randint(1, 9)}T{talk.chance.randrange(24):02d}:{talk.chance.randrange(60):02d}:07Z "
        f"INFO {service} handled {talk.one(NOUNS)} in {talk.chance.randint(2, 900)}ms"
        for _ in range(talk.chance.randint(5, 40))
    ]
    if error:
        lines.insert(talk.chance.randrange(len(lines)), f"2025-06-04T11:20:33Z ERROR {service} {error}")
    return "\n".join(lines)


def _episode(talk: Talk, services: list[str], guilty: str, seen: list[Body]) -> None:
    again = next((one for one in seen if one["service"] == guilty), None)
    known = again or _culprit(talk, guilty)
    if talk.maybe(0.6):
        _list_alerts(talk, services, guilty)
    for service in talk.some([s for s in services if s != guilty], 0, 4):
        talk.call("get_logs", {"service": service, "minutes": 30}, _log(talk, service, None))
    if again is None or talk.maybe(0.3):
        _inspect(talk, known)
    if talk.maybe(0.5):
        _get_trace(talk, known["trace"])
    talk.say(f"Pod {known['pod']} of {guilty} fails since {known['release']} (trace {known['trace']}). Roll back?")
    talk.user(talk.one(("Yes, roll back.", "Okay, go.", "Do it.")))
    talk.call("rollback_release", {"service": guilty, "from": known["release"]}, '{"status": "started"}')
    talk.say(f"The rollback of {guilty} from {known['release']} is under way.")
    if again is None:
        seen.append(known)


def _culprit(talk: Talk, service: str) -> Body:
    return {
        "service": service,
        "pod": f"{service}-{talk.chance.randrange(16**5):05x}",
        "release": f"v{talk.chance.randint(1, 9)}.{talk.chance.randint(10, 60)}.{talk.chance.randint(1, 9)}",
        "trace": f"{talk.chance.randrange(16**12):012x}",
    }


def _list_alerts(talk: Talk, services: list[str], guilty: str) -> None:
    alerts = [
        {"alert": talk.code("AL-", 5), "service": talk.one(services), "value": talk.chance.randint(1, 999)}
        for _ in range(talk.chance.randint(2, 9))
    ]
    alerts.append({"alert": talk.code("AL-", 5), "service": guilty, "value": 97})
    talk.call("list_alerts", {"state": "firing"}, rows(alerts, talk.chance))


def _inspect(talk: Talk, known: Body) -> None:
    """The pods, the log and the releases of the service that is to blame."""
    service, chance = known["service"], talk.chance
    pods = [{"pod": f"{service}-{chance.randrange(16**5):05x}", "restarts": 0} for _ in range(chance.randint(1, 5))]
    pods.append({"pod": known["pod"], "restarts": chance.randint(3, 40)})
    talk.call("list_pods", {"service": service}, rows(pods, chance))
    error = f"connection to {talk.one(NOUNS)}-db timed out, trace {known['trace']}"
    talk.call("get_logs", {"pod": known["pod"], "minutes": 30}, _log(talk, service, error))
    older = [
        {"release": f"v{chance.randint(1, 9)}.{chance.randint(10, 60)}.0", "by": talk.one(FIRST)}
        for _ in range(chance.randint(1, 6))
    ]
    releases = [{"release": known["release"], "by": talk.one(FIRST)}, *older]
    talk.call("list_releases", {"service": service}, rows(releases, chance))


def _get_trace(talk: Talk, trace: str) -> None:
    spans = [{"name": talk.one(NOUNS), "ms": talk.chance.randint(1, 9000)} for _ in range(talk.chance.randint(3, 12))]
    talk.call("get_trace", {"trace": trace}, json.dumps({"trace": trace, "spans": spans}))
