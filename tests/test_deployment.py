"""The files that deploy the server name commands, settings, paths and packages that there are."""

from __future__ import annotations

import configparser
import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest
import yaml

from amper_spark.cli import main
from amper_spark.config import Config, load_config
from amper_spark.render.engine.known_fonts import FONTS

ROOT = Path(__file__).parents[1]
SERVER = ROOT / "conf/server"
CONFIG_IN_PLACE = "/etc/amper-spark/server.yaml"


def read(name):
    return (SERVER / name).read_text()


def dockerfile():
    """Instructions of the Dockerfile: name and argument, comments left out and lines joined."""
    text = "\n".join(line for line in read("Dockerfile").splitlines() if not line.startswith("#"))
    return [tuple(line.split(maxsplit=1)) for line in text.replace("\\\n", " ").splitlines() if line.strip()]


def instruction(name):
    return [argument for found, argument in dockerfile() if found == name]


def environment():
    """Variables of the image that is run."""
    return dict(word.partition("=")[::2] for word in shlex.split(instruction("ENV")[-1]))


def unit():
    parser = configparser.ConfigParser(
        strict=False, interpolation=None, delimiters="=", inline_comment_prefixes=()
    )
    parser.optionxform = str
    parser.read_string(read("amper-spark-server.service"))
    return parser["Service"]


def compose():
    return yaml.safe_load(read("compose.yaml"))["services"]


def kubernetes(kind):
    (found,) = (one for one in yaml.safe_load_all(read("kubernetes.yaml")) if one["kind"] == kind)
    return found


def pod():
    return kubernetes("Deployment")["spec"]["template"]["spec"]


def container():
    (only,) = pod()["containers"]
    return only


def told_commands(text):
    """Command lines of amper-spark in shell blocks, without what stands around them."""
    lines = text.replace("\\\n", " ").splitlines()
    found = (re.search(r"(?:^|[\s/])amper-spark ((?:server|fonts) .*)", line) for line in lines)
    return [shlex.split(match[1], comments=True) for match in found if match]


def shell_blocks(text):
    return "\n".join(re.findall(r"```sh\n(.*?)```", text, re.DOTALL))


COMMANDS = [
    *(json.loads(command) for command in instruction("CMD")),
    shlex.split(unit()["ExecStart"])[1:],
    compose()["server"]["command"],
    container()["args"],
    *told_commands(shell_blocks((ROOT / "docs/deployment.md").read_text())),
]


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_commands_are_understood(arguments):
    arguments = [str(SERVER / "server.yaml") if word == CONFIG_IN_PLACE else word for word in arguments]
    command, context = main, main.make_context("amper-spark", list(arguments))
    while isinstance(command, click.Group):
        name, command, rest = command.resolve_command(context, [*context._protected_args, *context.args])
        context = command.make_context(name, rest, parent=context)
    if "overrides" in context.params:
        load_config(context.params["config"], context.params["overrides"])


def test_each_way_to_deploy_has_its_commands():
    ways = [" ".join(arguments[:2]) for arguments in COMMANDS]
    assert ways.count("server run") >= 4
    assert ways.count("server token") >= 5


def test_the_settings_are_valid_and_the_same_everywhere():
    settings = load_config(SERVER / "server.yaml")
    assert settings != Config()
    assert yaml.safe_load(kubernetes("ConfigMap")["data"]["server.yaml"]) == yaml.safe_load(
        read("server.yaml")
    )
    assert (
        settings.server.workers
        == int(container()["resources"]["limits"]["cpu"])
        == compose()["server"]["cpus"]
    )


def test_memory_is_enough_for_the_settings():
    server = load_config(SERVER / "server.yaml").server
    needed_mb = 1_000 + server.workers * (200 + 2.5 * server.max_duration_s)
    assert container()["resources"]["limits"]["memory"] == "4Gi"
    assert compose()["server"]["mem_limit"] == "4g"
    assert unit()["MemoryMax"] == "4G"
    assert needed_mb < 4_000


def test_the_default_port_is_the_one_that_is_named_everywhere():
    server = main.get_command(None, "server")
    (port,) = (option.default for option in server.get_command(None, "run").params if option.name == "port")
    assert instruction("EXPOSE") == [str(port)]
    assert f"'127.0.0.1', {port}" in instruction("HEALTHCHECK")[0]
    assert container()["ports"] == [{"name": "http", "containerPort": port}]
    assert unit()["SocketBindAllow"] == f"tcp:{port}"
    assert f"reverse_proxy server:{port} " in read("Caddyfile")
    assert f"server 127.0.0.1:{port};" in read("nginx.conf")


def test_proxies_take_what_the_page_may_send():
    """In a form, each brace or quotation mark of JSON takes three letters."""
    needed = f"{3 * load_config(SERVER / 'server.yaml').server.max_body_kb // 1_024}m"
    assert re.findall(r"client_max_body_size (\w+);", read("nginx.conf")) == [needed]
    annotations = kubernetes("Ingress")["metadata"]["annotations"]
    assert annotations["nginx.ingress.kubernetes.io/proxy-body-size"] == needed
    assert "request_body" not in read("Caddyfile")  # Caddy takes bodies of any size


@pytest.mark.skipif(
    shutil.which("nginx") is None or shutil.which("openssl") is None, reason="there is no nginx"
)
def test_nginx_understands_its_configuration(tmp_path):
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    made = [*("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=music.example")]
    subprocess.run([*made, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    text = re.sub(r"(ssl_certificate_key) .*;", rf"\1 {key};", read("nginx.conf"))
    text = re.sub(r"(ssl_certificate) .*;", rf"\1 {certificate};", text)
    text = re.sub(r"(listen (?:\[::\]:)?)(80|443)\b", r"\g<1>1\g<2>0", text)  # ports that need no privilege
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    places = " ".join(f"{kind}_temp_path {tmp_path / kind};" for kind in kinds)
    file, log = tmp_path / "nginx.conf", tmp_path / "error.log"
    file.write_text(f"pid {tmp_path / 'pid'}; events {{}} http {{ access_log off; {places} {text} }}")
    result = subprocess.run(
        ["nginx", "-t", "-p", tmp_path, "-c", file, "-e", log], capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
    assert "[warn]" not in result.stderr


def test_what_is_defended_is_shown_by_tests_that_there_are():
    told = (ROOT / "docs/security.md").read_text()
    sources = {
        file.relative_to(ROOT / "tests/render/server").as_posix(): file.read_text()
        for file in (ROOT / "tests/render/server").rglob("test_*.py")
    }
    assert set(re.findall(r"`([\w/]*test_\w+\.py)`", told)) <= sources.keys()
    defined = set(re.findall(r"^def (test_\w+)", "\n".join(sources.values()), re.MULTILINE))
    named = set(re.findall(r"`(test_\w+)`", told))
    assert len(named) > 30
    assert named <= defined


def test_probes_ask_for_pages_that_there_are(tmp_path):
    from starlette.testclient import TestClient

    from amper_spark.render.server.app import create_app
    from amper_spark.render.server.offer import load_offer
    from amper_spark.render.server.settings import ServerSettings
    from amper_spark.render.server.storage import Storage

    probes = [container()[f"{name}Probe"]["httpGet"]["path"] for name in ("startup", "readiness", "liveness")]
    (in_image,) = re.findall(r"'GET', '(.*?)'", instruction("HEALTHCHECK")[0])
    client = TestClient(create_app(Storage(tmp_path), ServerSettings(), offer=load_offer(None)))
    assert {path: client.get(path).status_code for path in {*probes, in_image}} == {
        "/health": 200,
        "/live": 200,
    }


def test_the_data_folder_is_the_volume():
    variable = "AMPER_SPARK_SERVER_DATA"
    folder = environment()[variable]
    assert instruction("VOLUME") == [folder]
    assert f"data:{folder}" in compose()["server"]["volumes"]
    mounts = {mount["name"]: mount["mountPath"] for mount in container()["volumeMounts"]}
    assert mounts["data"] == folder
    assert mounts["config"] == str(Path(CONFIG_IN_PLACE).parent)
    assert Path(environment()["NUMBA_CACHE_DIR"]).parent == Path(mounts["tmp"])
    assert unit()["StateDirectory"] == "amper-spark"
    assert f"Environment={variable}=/var/lib/amper-spark" in read("amper-spark-server.service").splitlines()


def test_nobody_is_root_and_nothing_but_data_can_be_written():
    user = instruction("USER")[-1]
    assert user == compose()["server"]["user"] == "10001:10001"
    assert pod()["securityContext"]["runAsUser"] == int(user.partition(":")[0])
    assert compose()["server"]["read_only"] is True
    assert container()["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert unit()["ProtectSystem"] == "strict"
    assert unit()["CapabilityBoundingSet"] == ""


def test_what_the_image_is_built_from_is_there_and_not_ignored():
    ignored = (ROOT / ".dockerignore").read_text().split()
    for argument in instruction("COPY"):
        *sources, _ = argument.split()
        if sources[0].startswith("--from"):
            continue
        for source in sources:
            assert (ROOT / source).exists()
            assert f"!{source}" in ignored
    for file in re.findall(r"requirements/[a-z]+\.txt", read("Dockerfile")):
        assert (ROOT / file).is_file()


def test_the_fonts_of_the_image_are_known():
    (fetched,) = re.findall(r"fonts fetch (\w+)", "\n".join(instruction("RUN")))
    assert fetched in FONTS
    assert fetched == Config().render.font


def pins(name):
    """Packages of a requirements file, each with its version, marker and hashes."""
    text = (ROOT / "requirements" / name).read_text().replace("\\\n", " ")
    lines = [line.split("--hash=") for line in text.splitlines() if "==" in line]
    return {name.strip(): sorted(digest.strip() for digest in hashes) for name, *hashes in lines}


def test_the_server_has_the_versions_that_are_tested():
    def by_name(name):
        return {pin.partition("==")[0]: (pin.split()[0], hashes) for pin, hashes in pins(name).items()}

    everything, server = by_name("all.txt"), by_name("server.txt")
    assert {name: everything.get(name) for name in server} == server
    assert {"fastapi", "uvicorn", "numba", "mido", "lameenc"} <= set(server)
    assert not {"pyspark", "pandas", "matplotlib", "pytest"} & set(server)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd-analyze")
def test_systemd_understands_the_unit(tmp_path):
    # The server is not installed where the unit says.
    text = read("amper-spark-server.service").replace("/opt/amper-spark/bin/amper-spark", sys.executable)
    file = tmp_path / "amper-spark-server.service"
    file.write_text(text)
    result = subprocess.run(["systemd-analyze", "verify", "--man=no", file], capture_output=True, text=True)
    assert (result.returncode, result.stderr) == (0, "")
