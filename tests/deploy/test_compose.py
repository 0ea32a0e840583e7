"""compose.yaml: the same engines as deploy/local, in containers."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from deploy.local.nginx import SITE
from deploy.local.node import TEMPLATES

ROOT = Path(__file__).parents[2]
COMPOSE = (ROOT / "compose.yaml").read_text()


def pom_version(engine: str, artifact: str) -> str:
    """Return the version of an artifact in an engine's pom."""
    pom = (ROOT / "deploy" / "local" / "jars" / f"{engine}.xml").read_text()
    match = re.search(rf"<artifactId>{artifact}</artifactId>\s*<version>([^<]+)<", pom)
    assert match, artifact
    return match.group(1)


@pytest.mark.parametrize(
    ("engine", "artifact", "image"),
    [
        ("kafka", r"kafka_2\.13", "apache/kafka"),
        ("kafka", "kafka-tools", "apache/kafka"),
        ("cassandra", "cassandra-all", "cassandra"),
    ],
)
def test_images_have_the_versions_of_the_jars(engine: str, artifact: str, image: str) -> None:
    """A test that passes on one passes on the other."""
    assert f"image: {image}:{pom_version(engine, artifact)}\n" in COMPOSE


def test_both_ways_allow_the_same_batches() -> None:
    """The thresholds of Cassandra are stated twice, and equally."""
    config = (TEMPLATES / "cassandra.yaml").read_text()
    for threshold in re.findall(r"^batch_size_\w+_threshold: \w+$", config, re.MULTILINE):
        assert threshold in COMPOSE


def test_both_ways_sync_rows_before_they_are_acknowledged() -> None:
    """One node alone is the only one that can remember them."""
    assert "commitlog_sync: batch\n" in (TEMPLATES / "cassandra.yaml").read_text()
    assert "'s/^commitlog_sync:.*/commitlog_sync: batch/'" in COMPOSE


def test_both_ways_promise_the_same_of_kafka() -> None:
    """What durability rests on is the same with containers and without."""
    config = (TEMPLATES / "kafka.properties").read_text()
    for setting in ("auto.create.topics.enable", "unclean.leader.election.enable"):
        assert f"{setting}=false" in config
        assert f'KAFKA_{setting.replace(".", "_").upper()}: "false"' in COMPOSE


def test_the_proxy_gets_every_name_of_the_template() -> None:
    """nginx's image fills in what it is given, and would leave the rest as it is."""
    for name in re.findall(r"\$\{([A-Z_]+)\}", SITE.read_text()):
        assert f"      {name}: " in COMPOSE


def test_nothing_is_published_beyond_this_machine() -> None:
    """The engines have no passwords worth the name."""
    ports = re.findall(r"ports: \[(.*)\]", COMPOSE)
    assert ports
    assert all(port.startswith('"127.0.0.1:') for port in ports)


@pytest.mark.skipif(
    shutil.which("docker") is None
    or subprocess.run(["docker", "compose", "version"], capture_output=True).returncode != 0,
    reason="docker compose is not installed",
)
@pytest.mark.parametrize(
    "options",
    [
        ["--profile", "single"],
        ["--env-file", "deploy/compose/three.env", "--profile", "three"],
    ],
)
def test_compose_takes_the_file(options: list[str]) -> None:
    """`docker compose config` needs no daemon."""
    subprocess.run(
        ["docker", "compose", *options, "config", "--quiet"], cwd=ROOT, check=True, timeout=60
    )
