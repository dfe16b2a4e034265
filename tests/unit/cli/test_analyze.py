import json
import re
import signal

from growbin_jobs.samples import sample_pictures

PHOTO = sample_pictures()[0]
DEAD_BROKER = {"GROWBIN_BROKER_URL": "amqp://growbin:hunter2@127.0.0.1:1/", "GROWBIN_PUBLISH_TIMEOUT": "0.5"}


def objects(done):
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_missing_photo_is_a_sentence_and_exit_code_1(command, tmp_path):
    done = command("analyze", tmp_path / "none.jpg")

    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr == f"{tmp_path}/none.jpg: There is no such file.\n"


def test_in_json_every_photo_has_its_object(command, tmp_path):
    done = command("analyze", "--json", "--no-wait", tmp_path / "[red]none.jpg", PHOTO, tmp_path)

    missing, folder, accepted = objects(done)
    assert done.returncode == 1
    assert (missing["photo"], missing["status"], missing["error_code"]) == (
        f"{tmp_path}/[red]none.jpg",
        "failed",
        "picture_missing",
    )
    assert (folder["error_code"], folder["error"]) == ("picture_missing", "This is a folder. Name the photos in it.")
    assert set(accepted) == {"photo", "id"}
    assert "[red]none.jpg: There is no such file." in done.stderr


def test_no_wait_prints_the_id_that_status_takes(command):
    analysis_id = command("analyze", "--no-wait", PHOTO).stdout.strip()

    [shown] = objects(command("status", "--json", analysis_id))

    assert (shown["id"], shown["user_id"], shown["status"]) == (analysis_id, "cli", "pending")
    assert "pending" in command("status", analysis_id).stdout


def test_with_no_worker_it_stops_waiting_and_says_what_is_not_finished(command):
    done = command("analyze", "--json", "--timeout", "1", PHOTO, GROWBIN_LANGUAGE="en")

    assert done.returncode == 3
    assert [one["status"] for one in objects(done)] == ["pending"]
    assert "is a worker running?" in done.stderr
    assert f"Not finished: {PHOTO}" in done.stderr


def test_an_interrupt_ends_the_waiting_and_tells_the_ids(start):
    process = start("analyze", PHOTO)
    for line in process.stderr:
        if "is a worker running?" in line:
            break

    process.send_signal(signal.SIGINT)
    said = process.stderr.read()

    assert process.wait() == 130
    assert re.search("growbin-jobs status.*: [0-9a-f]{32}$", said.strip())
    assert "Traceback" not in said


def test_photos_are_accepted_while_the_broker_is_away(command):
    done = command("analyze", "--json", "--no-wait", PHOTO, PHOTO, **DEAD_BROKER)

    assert done.returncode == 0
    assert all(one["id"] for one in objects(done))
    assert "messages are kept in" in done.stderr
    assert "hunter2" not in done.stdout + done.stderr


def test_a_broker_that_is_away_is_waited_for_once_and_not_for_each_photo(command):
    done = command("analyze", "--json", "--no-wait", PHOTO, PHOTO, **DEAD_BROKER, GROWBIN_SEND_PATIENCE="0")

    assert done.returncode == 1
    assert [one["id"] for one in objects(done)] == [None, None]
    assert len({one["error"] for one in objects(done)}) == 1
    assert "Connection refused" in objects(done)[0]["error"]
    assert "Traceback" not in done.stderr
    assert "hunter2" not in done.stdout + done.stderr


def test_a_user_that_cannot_be_part_of_a_key_is_refused_at_once(command):
    done = command("analyze", "--user", "../someone", PHOTO)

    assert done.returncode == 1
    assert "user_id must be 1–64 letters" in done.stderr


def test_the_status_of_an_unknown_analysis(command):
    done = command("status", "nobody-sent-this")

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: There is no analysis 'nobody-sent-this' in this database")
