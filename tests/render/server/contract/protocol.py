"""Part 1: the protocol, paging, endpoints, access tokens."""

from __future__ import annotations

import http.client
import re
import threading
import time

import uvicorn

from amper_spark.render.server.entity_index import EntityKind
from tests.render.server.contract.rules import not_kept, rule
from tests.render.server.contract.studio import BASE, MEDIA_TYPE, ORIGIN, basic, music

DATE = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d"
TOKENS = "/v1/access_tokens"

not_kept("1", "HTTPS on port 443 only", "this server speaks HTTP; what stands before it ends TLS")
not_kept("1", "`Host` is `api.ampermusic.com`", "this server has the host that its owner gives it")
not_kept("1", "`POST /v1/login` returns a session token", "there are no users with passwords; see 1.3")


@rule("1", "HTTP/1.1")
def http_version(studio):
    server = uvicorn.Server(uvicorn.Config(studio.app, port=0, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            time.sleep(0.01)
        connection = http.client.HTTPConnection(*server.servers[0].sockets[0].getsockname())
        connection.request("GET", "/v1/entities/hit")
        assert connection.getresponse().version == 11
        connection.close()
    finally:
        server.should_exit = True
        thread.join()


@rule(
    "1",
    "paths start with `/v1`",
    differently="those of the API do; beside them are `/health`, `/live`, `/metrics` and pages for people",
)
def paths(studio):
    paths = set(studio.get("/openapi.json").json()["paths"]) - {"/health", "/live", "/metrics"}
    assert all(path.startswith("/v1/") for path in paths)


@rule("1", "JSON:API 1.0: a document has `data` or `errors`")
def json_api(studio):
    assert set(studio.get("/v1/entities/hit").json()) == {"data", "links"}
    assert set(studio.get("/v1/entities/hit/none").json()) == {"errors"}


@rule("1", "the media type is `application/vnd.api+json` both ways")
def media_type(studio):
    answer = studio.post("simple_compositions", timeline=music())
    assert answer.request.headers["Content-Type"] == MEDIA_TYPE
    assert (answer.status_code, answer.headers["Content-Type"]) == (201, MEDIA_TYPE)
    assert studio.worker.work()
    assert studio.get("/v1/entities/hit/none").headers["Content-Type"] == MEDIA_TYPE


@rule("1", "`Authorization: Basic` with the token as user name; any password, but the colon must be there")
def basic_auth(studio):
    for user, status in (
        (f"{studio.plaintext}:", 200),
        (f"{studio.plaintext}:some:password", 200),
        (studio.plaintext, 401),
        (f":{studio.plaintext}", 401),
    ):
        assert studio.get("/v1/entities/hit", headers=basic(user)).status_code == status


@rule("1", "`Authorization: Bearer` with the token")
def bearer(studio):
    assert studio.get("/v1/entities/hit").status_code == 200
    answer = studio.client.get("/v1/entities/hit")
    assert (answer.status_code, "WWW-Authenticate" in answer.headers) == (401, True)


@rule("1", "CORS for origins that are listed; a preflight names a URL that exists and a method that it has")
def cors(studio):
    def ask(path, method, origin=ORIGIN):
        headers = {"Origin": origin, "Access-Control-Request-Method": method}
        answer = studio.client.options(path, headers=headers)
        return answer.status_code, answer.headers.get("Access-Control-Allow-Origin")

    assert ask("/v1/simple_renders", "POST") == (200, ORIGIN)
    assert ask("/v1/simple_renders", "POST", "https://other.example")[1] is None
    assert ask("/v1/simple_renders", "DELETE")[0] == 405
    assert ask("/v1/nothing", "GET")[0] == 404


@rule("1", "answers with data have an `ETag`, a weak one of 40 hexadecimal digits")
def etag(studio):
    render = studio.masters["MASTER_WAV"]["links"]["self"]
    for path in ("/v1/entities/hit", "/v1/entities/hit/cymbal_crash", TOKENS, render):
        answer = studio.get(path)
        assert re.fullmatch(r'W/"[0-9a-f]{40}"', answer.headers["ETag"])
        again = studio.get(path, headers={"If-None-Match": answer.headers["ETag"]})
        assert again.status_code == 304
    assert "ETag" in studio.post("simple_compositions", timeline=music()).headers
    assert studio.worker.work()


@rule("1", "a request that modifies data has an `If-Match` with the ETag that the data have")
def if_match(studio):
    answer = studio.post("access_tokens")
    path = f"{TOKENS}/{answer.json()['data']['id']}"
    tag = studio.get(path).headers["ETag"]
    for headers, status in (({}, 428), ({"If-Match": 'W/"0"'}, 412), ({"If-Match": tag}, 204)):
        assert studio.ask("DELETE", path, headers=headers).status_code == status


@rule("1", "`Location` holds the URL of the data")
def location(studio):
    for kind, attributes in (("simple_compositions", {"timeline": music()}), ("access_tokens", {})):
        answer = studio.post(kind, **attributes)
        assert answer.headers["Location"] == answer.json()["data"]["links"]["self"]
        assert studio.get(answer.headers["Location"]).status_code == 200
    assert studio.worker.work()


@rule("1", "dates are ISO 8601 with an offset")
def dates(studio):
    for attributes in (studio.data(TOKENS)[0]["attributes"], studio.masters["MASTER_WAV"]["attributes"]):
        dates = [value for name, value in attributes.items() if name.startswith("date_") and value]
        assert dates
        assert all(re.fullmatch(DATE, date) for date in dates)


@rule("1", "envelope: `data` with `type`, `id`, `attributes`, `links.self`, and an outer `links.self`")
def envelope(studio):
    document = studio.get("/v1/entities/hit/cymbal_crash").json()
    url = f"{BASE}/v1/entities/hit/cymbal_crash"
    assert document["links"] == document["data"]["links"] == {"self": url}
    assert set(document["data"]) == {"type", "id", "attributes", "links"}


@rule("1", "in lists `data` is an array")
def lists(studio):
    for path in ("/v1/entities/hit", TOKENS):
        document = studio.get(path).json()
        assert document["links"]["self"] == f"{BASE}{path}"
        assert all(set(one) == {"type", "id", "attributes", "links"} for one in document["data"])


@rule("1.1", "`limit`: 1 to 100 records, 10 by default")
def limit(studio):
    assert len(studio.data("/v1/entities/descriptor")) == 10
    assert len(studio.data("/v1/entities/descriptor?limit=100")) == 100
    for path in ("/v1/entities/descriptor", TOKENS):
        assert len(studio.data(f"{path}?limit=1")) == 1
        for refused in (0, 101):
            assert studio.get(f"{path}?limit={refused}").status_code == 400


@rule("1.1", "`length` is an older name of `limit`, of tokens")
def length(studio):
    assert len(studio.data(f"{TOKENS}?length=1")) == 1


@rule("1.1", "`offset`: 0 to 100,000, of tokens to 1,000")
def offset(studio):
    kind = "/v1/entities/band"
    assert studio.data(f"{kind}?offset=0&limit=5")[3:] == studio.data(f"{kind}?offset=3&limit=2")
    assert studio.data(f"{kind}?offset=100000") == []
    assert studio.get(f"{kind}?offset=100001").status_code == 400
    assert studio.data(f"{TOKENS}?offset=1000") == []
    assert studio.get(f"{TOKENS}?offset=1001").status_code == 400


@rule("1.1", "`cursor`: id of the first record")
def cursor(studio):
    name = "documentary_minimal_intriguing"
    assert studio.data(f"/v1/entities/descriptor?cursor={name}")[0]["id"] == name
    assert studio.data(f"{TOKENS}?cursor={studio.token.id}")[0]["id"] == studio.token.id


@rule(
    "1.1",
    "`sort` of tokens: `date_access`, `date_create`, `display_name`, `-` before one, several with commas",
)
def sort(studio):
    def names(sort):
        data = studio.data(TOKENS, params={"sort": sort, "limit": 100})
        return [one["attributes"]["display_name"] for one in data]

    made = ["b", "c", "a"]
    for name in made:
        assert studio.post("access_tokens", display_name=name).status_code == 201
    by_name = names("display_name")
    assert by_name == sorted(by_name, key=str.casefold)
    assert [name for name in names("-display_name,date_create") if name in made] == ["c", "b", "a"]
    assert [name for name in names("date_create,display_name") if name in made] == made
    assert studio.get(TOKENS, params={"sort": "-date_access"}).status_code == 200


@rule("1.1", "`sort`: combinations that make no sense are refused")
def senseless_sort(studio):
    for sort in ("date_create,-date_create", "colour", "", "-"):
        assert studio.get(TOKENS, params={"sort": sort}).status_code == 400


@rule("1.1", "`links.first` is always there")
def first(studio):
    for path in ("/v1/entities/band", TOKENS):
        for query in ("?limit=1", "?limit=100", "?offset=1000"):
            assert studio.get(studio.get(path + query).json()["links"]["first"]).status_code == 200


def _walked(studio, path, name):
    found, url = [], path
    while url:
        document = studio.get(url).json()
        found += [one["id"] for one in document["data"]]
        url = document["links"].get(name)
    return found


@rule("1.1", "`links.next`: the next page by offset, on the first page too, not on the last one")
def next_by_offset(studio):
    listed = _walked(studio, "/v1/entities/hit?limit=7", "next")
    assert listed == [one["id"] for one in studio.data("/v1/entities/hit?limit=100")]
    assert "next" not in studio.get("/v1/entities/hit?limit=19").json()["links"]


@rule("1.1", "`links.next_cursor`: the same by cursor")
def next_by_cursor(studio):
    listed = _walked(studio, "/v1/entities/hit?limit=7", "next_cursor")
    assert listed == [one["id"] for one in studio.data("/v1/entities/hit?limit=100")]
    assert "next_cursor" not in studio.get("/v1/entities/hit?limit=19").json()["links"]


ENDPOINTS = [
    ("POST", "/v1/simple_renders"),
    ("GET", "/v1/simple_renders/{id}"),
    ("POST", "/v1/simple_compositions"),
    ("GET", "/v1/simple_compositions/{id}"),
    *[("GET", f"/v1/entities/{kind}") for kind in EntityKind],
    *[("GET", f"/v1/entities/{kind}/{{id}}") for kind in EntityKind],
    ("POST", TOKENS),
    ("GET", TOKENS),
    ("GET", f"{TOKENS}/{{id}}"),
    ("DELETE", f"{TOKENS}/{{id}}"),
]


def _note_endpoint(method, path):
    @rule("1.2", f"`{method} {path}`")
    def is_there(studio):
        described = studio.get("/openapi.json").json()["paths"]
        there = {
            (verb.upper(), re.sub(r"\{\w+\}", "{id}", at)) for at, item in described.items() for verb in item
        }
        assert (method, path) in there
        assert studio.ask(method, path).status_code not in (401, 405)


for _endpoint in ENDPOINTS:
    _note_endpoint(*_endpoint)

not_kept("1.2", "`GET /v1/renders/{id}`", "only its name is documented, not what it answers")
not_kept("1.2", "`GET /v1/compositions/{id}`", "only its name is documented, not what it answers")
not_kept(
    "1.2",
    "`POST /v1/users/{id}/access_tokens` for role ADMIN",
    "there are no users and no roles: `amper-spark server token` makes tokens, with scopes",
)


@rule("1.3", "a token is made by `data.type` `access_tokens`; 201")
def token_made(studio):
    assert studio.post("access_tokens").status_code == 201
    for data in ({}, {"type": "simple_renders"}, {"type": "access_token"}):
        answer = studio.ask("POST", TOKENS, json={"data": data})
        assert answer.status_code in (409, 422)


@rule("1.3", "`display_name` is optional, and empty by default")
def token_name(studio):
    for attributes in ({}, {"display_name": ""}, {"display_name": "studio"}):
        told = studio.post("access_tokens", **attributes).json()["data"]["attributes"]
        assert told["display_name"] == attributes.get("display_name", "")
    assert studio.ask("POST", TOKENS, json={"data": {"type": "access_tokens"}}).status_code == 201


@rule("1.3", "answer: `id`, `access_token_plaintext`, `access_token_redacted`, dates, `links.self`")
def token_answer(studio):
    data = studio.post("access_tokens").json()["data"]
    told = data["attributes"]
    assert set(told) >= {"access_token_plaintext", "access_token_redacted", "date_create", "date_access"}
    assert told["access_token_plaintext"].startswith(told["access_token_redacted"].rstrip("."))
    assert studio.data(data["links"]["self"])["id"] == data["id"]
    assert studio.get("/v1/entities/hit", token=told["access_token_plaintext"]).status_code == 200


@rule("1.3", "the plaintext is shown once: list and read tell all but it")
def token_shown_once(studio):
    made = studio.post("access_tokens").json()["data"]
    read = studio.get(made["links"]["self"])
    listed = studio.get(f"{TOKENS}?cursor={made['id']}")
    told = read.json()["data"]["attributes"]
    assert set(made["attributes"]) - set(told) == {"access_token_plaintext"}
    assert listed.json()["data"][0]["attributes"] == told
    for answer in (read, listed):
        assert made["attributes"]["access_token_plaintext"] not in answer.text


@rule("1.3", "`date_access` is when it was used last")
def token_used(studio):
    made = studio.post("access_tokens").json()["data"]
    assert studio.data(made["links"]["self"])["attributes"]["date_access"] is None
    studio.get("/v1/entities/hit", token=made["attributes"]["access_token_plaintext"])
    assert re.fullmatch(DATE, studio.data(made["links"]["self"])["attributes"]["date_access"])


@rule("1.3", "`DELETE` revokes at once: 204, no body")
def token_revoked(studio):
    made = studio.post("access_tokens").json()["data"]
    plaintext, path = made["attributes"]["access_token_plaintext"], made["links"]["self"]
    tag = studio.get(path).headers["ETag"]
    answer = studio.ask("DELETE", path, headers={"If-Match": tag})
    assert (answer.status_code, answer.content) == (204, b"")
    assert studio.get("/v1/entities/hit", token=plaintext).status_code == 401
