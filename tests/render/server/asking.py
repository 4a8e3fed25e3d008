"""What tests ask the server for, and how they do its jobs in a worker's place."""

from __future__ import annotations

JSON_API = "application/vnd.api+json"


def timeline(**more):
    region = {"region": "music", "descriptor": "rock_indie_happy", "beat": 0}
    music = {"type": "metered", "time": 0, "regions": [region]}
    return {"spans": [music, {"type": "unmetered", "time": 20}], **more}


def render(**attributes):
    told = {"timeline": timeline(), "preset": "MASTER_MP3", **attributes}
    return {"data": {"type": "simple_renders", "attributes": told}}


def composition(**attributes):
    return {"data": {"type": "simple_compositions", "attributes": {"timeline": timeline(), **attributes}}}


def do_next_job(service, *, content=b"0123456789" * 100, content_type="audio/mp3", name="master.mp3"):
    """Do the job that waits first, as a worker would, but with files that are quick to make."""
    job = service.jobs.take("worker")
    completed = {**job.request["timeline"], "notifications": []}
    service.jobs.composed(job.id, "worker", completed)
    attempt = service.storage.begin(job)
    files = []
    for file_name, file_type, made in (
        (name, content_type, content),
        ("waveform.json", "application/vnd.amper.waveform+json", b"{}"),
    ):
        (attempt / file_name).write_bytes(made)
        files.append(
            {
                "name": file_name,
                "attempt": attempt.name,
                "tracks": ["master"],
                "content_type": file_type,
                "frequency_hz": 44_100,
                "bits_sample": 16,
                "kbits_second": 192,
                "channel_count": 2,
                "size_bytes": len(made),
                "sha256": "0",
            }
        )
    service.jobs.created(job.id, "worker", files=tuple(files))
    return service.jobs.find(job.id)


def errors(response):
    assert response.headers["content-type"] == JSON_API
    return response.json()["errors"]
