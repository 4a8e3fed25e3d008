"""The page on which timelines are composed, with scripts and without."""

from __future__ import annotations

import hashlib
import json
import secrets
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Depends
from starlette.requests import Request  # noqa: TC002 - FastAPI reads the annotations
from starlette.responses import JSONResponse, Response

from amper_spark.descriptors.catalogue import SCALE_QUALITIES
from amper_spark.render.server.envelopes import RefusalError
from amper_spark.render.server.job import Kind
from amper_spark.render.server.limits import parsed
from amper_spark.render.server.pages.answers import PageRoute, page, refusal_page, see_other, wants_json
from amper_spark.render.server.pages.forms import Form, FormOf
from amper_spark.render.server.pages.listing import grouped
from amper_spark.render.server.pages.outline import editable
from amper_spark.render.server.pages.own_jobs import own_job
from amper_spark.render.server.pages.rows import (
    BLANK_ROWS,
    MAX_ROWS,
    Problem,
    Row,
    excess,
    field_of,
    filled,
    filled_in,
    timeline_of,
)
from amper_spark.render.server.pages.visitors import SignedIn  # noqa: TC001 - as above
from amper_spark.render.server.renders import taken
from amper_spark.render.server.requests import TIMELINE_POINTER
from amper_spark.render.server.service import Service, ServiceOf  # noqa: TC001 - as above

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from amper_spark.render.server.pages.listing import DescriptorListing
    from amper_spark.render.server.tokens import Token

PRESETS = (
    ("MASTER_MP3", "MP3", "small, for listening", ".mp3"),
    ("MASTER_WAV", "WAV", "16 bit, for editing", ".wav"),
    ("STEMS_WAV", "Stems", "a ZIP of instruments", ".zip"),
)
TONICS = ("c", "des", "d", "es", "e", "f", "fis", "g", "aes", "a", "bes", "b")

_NONCE_BYTES = 8
_KB = 1_024
# Not no-store: whoever comes back finds the form as it was left.
_KEPT = {"Cache-Control": "private, no-cache"}


def compose_router(listing: DescriptorListing, *, entrance: Callable[..., object]) -> APIRouter:
    """Make the page.

    Parameters
    ----------
    listing : DescriptorListing
    entrance : callable
        A dependency that lets in who may have music made.

    Returns
    -------
    APIRouter
        ``GET`` and ``POST /compose``.
    """
    router = APIRouter(route_class=PageRoute, include_in_schema=False, dependencies=[Depends(entrance)])

    @router.get("/compose")
    def compose_form(request: Request, client: SignedIn, service: ServiceOf) -> Response:
        """Show the editor: empty, with a descriptor, or with the timeline of a job."""
        query = request.query_params
        if "from" in query:
            timeline = _timeline_of_job(query["from"], query.get("as", ""), client, service)
            return _editor(request, listing, service, timeline=timeline, fresh="replace")
        entry = listing.find(query.get("add", ""))
        first = Row("0", entry.name) if entry else Row()
        timeline, _ = timeline_of(Form({name: [value] for name, value in first._asdict().items()}))
        return _editor(request, listing, service, timeline=timeline, fresh="add" if entry else "")

    @router.post("/compose")
    def compose(request: Request, client: SignedIn, form: FormOf, service: ServiceOf) -> Response:
        """Have the music made, or say what is in its way."""
        return _take(request, client, form, service, listing)

    return router


def _take(
    request: Request, client: Token, form: Form, service: Service, listing: DescriptorListing
) -> Response:
    asked = form.text("from")
    if asked == "more":
        return _editor(request, listing, service, form=form, problems=excess(form), n_blank=2 * BLANK_ROWS)
    try:
        timeline: Any
        problems: list[Problem] = []
        if asked == "json":
            timeline = _json_of(form.text("timeline"), service.settings.max_body_kb)
        else:
            timeline, problems = timeline_of(form)
        if problems:
            return _editor(request, listing, service, form=form, problems=problems, status=422)
        job = taken(
            Kind.RENDER,
            _request(timeline, form),
            client_id=client.id,
            service=service,
            idempotency_key=_idempotency_key(form, timeline),
        )
    except RefusalError as error:
        if wants_json(request):
            return refusal_page(request, error)
        problems = [
            _problem(fault.place.removeprefix(TIMELINE_POINTER), fault.detail, form, asked)
            for fault in error.faults
        ]
        return _editor(
            request,
            listing,
            service,
            form=form,
            problems=problems,
            status=error.status,
            headers=error.headers,
        )
    location = f"/music/{job.id}"
    return JSONResponse({"location": location}, 201) if wants_json(request) else see_other(location)


def _editor(
    request: Request,
    listing: DescriptorListing,
    service: Service,
    *,
    timeline: Any = None,
    form: Form | None = None,
    problems: list[Problem] | None = None,
    fresh: str = "",
    n_blank: int = BLANK_ROWS,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Show the form: filled in as it came, or with a timeline."""
    found = filled_in(form) if form is not None else filled(timeline)
    is_shown, values = found is not None, found or filled_in(Form({}))
    text = form.text("timeline") if form is not None else json.dumps(timeline, indent=2, ensure_ascii=False)
    return page(
        request,
        "compose.html",
        status=status,
        headers={**_KEPT, **(headers or {})},
        listing=listing,
        groups=grouped(listing.entries),
        made=service.storage.made_previews(),
        values=values,
        is_shown=is_shown,
        n_blank=min(n_blank, MAX_ROWS - len(values["rows"])),
        text=text,
        fresh=fresh,
        problems=problems or [],
        wrong={problem.field for problem in problems or []},
        preset=form.text("preset") if form is not None else PRESETS[0][0],
        name=form.text("name") if form is not None else "",
        presets=PRESETS,
        tonics=TONICS,
        qualities=SCALE_QUALITIES,
        max_duration_s=service.settings.max_duration_s,
        nonce=secrets.token_hex(_NONCE_BYTES),
    )


def _timeline_of_job(job_id: str, told: str, client: Token, service: Service) -> Any:
    """Return the timeline of a job, as it was asked for, with the seed that was drawn; or as composed."""
    job = own_job(job_id, client, service)
    if told == "composed" and job.timeline is not None:
        whole = {name: value for name, value in job.timeline.items() if name != "notifications"}
        return editable(whole) or whole
    asked = job.request["timeline"]
    if isinstance(asked, dict) and asked.keys() == {"timeline"}:
        asked = asked["timeline"]
    if not isinstance(asked, dict) or job.timeline is None or "random_seed" in asked:
        return asked
    return {"random_seed": job.timeline.get("random_seed"), **asked}


def _json_of(text: str, max_kb: int) -> Any:
    content = text.encode("utf-8", "replace")
    if len(content) > max_kb * _KB:
        raise RefusalError(413, "CONTENT_TOO_LARGE", f"the timeline has more than {max_kb:,} kB")
    try:
        return parsed(content)
    except RefusalError as error:
        raise RefusalError(422, "NOT_USABLE", str(error).replace("the body is", "the timeline is")) from None


def _request(timeline: Any, form: Form) -> dict[str, Any]:
    preset, name = form.text("preset"), form.text("name")
    ending = next((ending for known, _, _, ending in PRESETS if known == preset), "")
    named = {"attachment_filename": name if name.lower().endswith(ending) else name + ending} if name else {}
    attributes = {"timeline": timeline, "preset": preset, "make_timeline": True, **named}
    return {"data": {"type": str(Kind.RENDER), "attributes": attributes}}


def _idempotency_key(form: Form, timeline: Any) -> str | None:
    """Make a form that is sent twice one job; one that has been changed is another."""
    nonce = form.text("nonce")
    if not nonce:
        return None
    sent = json.dumps([nonce, form.text("preset"), form.text("name"), timeline], sort_keys=True)
    return f"page-{hashlib.sha256(sent.encode()).hexdigest()}"


def _problem(pointer: str, detail: str, form: Form, asked: str) -> Problem:
    if pointer == "/data/attributes/attachment_filename":
        return Problem("name", f"The file name {detail}")
    if pointer == "/data/attributes/preset":
        return Problem("preset", "Choose one of the kinds of files.")
    if asked == "json":
        return Problem("timeline", f"{pointer}: {detail}" if pointer else detail)
    return Problem(field_of(pointer, form), detail)
