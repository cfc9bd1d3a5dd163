"""Settings are read, described, and refused in words an operator can act on."""

import base64
import json
import os
import stat
from pathlib import Path

import pytest

from cds_service.errors import ConfigurationError
from cds_service.settings import Settings, load_settings, read_secret_keys
from cds_service.storage.session import create_database_engine


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("CDS_"):
            monkeypatch.delenv(name)


def test_defaults_are_safe() -> None:
    settings = load_settings()
    assert not settings.development
    assert settings.base_url == "http://127.0.0.1:8000"
    assert settings.database == "sqlite:///var/cds.sqlite3"


def test_every_setting_is_described() -> None:
    assert all(field.description for field in Settings.model_fields.values())


def test_an_unknown_setting_is_refused_with_the_nearest_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CDS_DATABSE_URL", "sqlite:///x")
    with pytest.raises(ConfigurationError, match=r"CDS_DATABSE_URL.*CDS_DATABASE_URL\?"):
        load_settings()


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"CDS_PORT": "99999"}, "CDS_PORT"),
        ({"CDS_DEVELOPMENT": "true", "CDS_HOST": "0.0.0.0"}, "loopback"),  # noqa: S104  # must be refused
        ({"CDS_PUBLIC_URL": "http://cds.example"}, "https"),
        ({"CDS_PUBLIC_URL": "cds.example"}, "absolute"),
        ({"CDS_LOOKBACK_HOURS": "48"}, "CDS_LOOKBACK_HOURS"),
        ({"CDS_CORS_ORIGINS": "https://ehr.example"}, "JSON list"),
        ({"CDS_TIME_ZONE": "Mars/Olympus"}, "CDS_TIME_ZONE"),
        ({"CDS_TIME_ZONE": "../etc/passwd"}, "CDS_TIME_ZONE"),
        ({"CDS_TIME_ZONE": ""}, "CDS_TIME_ZONE"),
    ],
)
def test_bad_values_are_refused_in_words(
    variables: dict[str, str], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError, match=words):
        load_settings()


def test_a_refusal_never_repeats_the_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CDS_PORT", "hunter2")
    with pytest.raises(ConfigurationError) as refused:
        load_settings()
    assert "hunter2" not in str(refused.value)


def test_development_may_listen_elsewhere_only_when_told_twice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CDS_DEVELOPMENT", "true")
    monkeypatch.setenv("CDS_HOST", "0.0.0.0")  # noqa: S104  # must be allowed only with the next line
    monkeypatch.setenv("CDS_DEVELOPMENT_ANY_HOST", "true")
    assert load_settings().development


def test_development_mode_is_not_left_on_behind_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever sets the public URL of a hospital has the whole network in front of the service."""
    monkeypatch.setenv("CDS_DEVELOPMENT", "true")
    monkeypatch.setenv("CDS_PUBLIC_URL", "https://cds.hospital.example")
    with pytest.raises(ConfigurationError, match="without authentication"):
        load_settings()
    for url in ("http://localhost:8000", "https://127.0.0.1", "http://[::1]:8000/cds"):
        monkeypatch.setenv("CDS_PUBLIC_URL", url)
        assert load_settings().base_url == url
    monkeypatch.setenv("CDS_PUBLIC_URL", "https://tunnel.example")
    monkeypatch.setenv("CDS_DEVELOPMENT_ANY_HOST", "true")
    assert load_settings().development


def test_the_first_start_in_development_writes_a_private_key(tmp_path: Path) -> None:
    settings = Settings(development=True, data_dir=tmp_path)
    keys = read_secret_keys(settings)
    assert [len(key) for key in keys] == [32]
    assert read_secret_keys(settings) == keys
    assert stat.S_IMODE((tmp_path / "secret-keys").stat().st_mode) == 0o600


def test_a_data_folder_that_is_made_is_private(tmp_path: Path) -> None:
    read_secret_keys(Settings(development=True, data_dir=tmp_path / "one"))
    create_database_engine(f"sqlite:///{tmp_path / 'two' / 'cds.sqlite3'}").dispose()
    for name in ("one", "two"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o700


def test_outside_development_a_missing_key_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="CDS_SECRET_KEYS"):
        read_secret_keys(Settings(data_dir=tmp_path))


@pytest.mark.parametrize("text", ["", "abc", "[]", '["c2hvcnQ="]', "[1]", "{}"])
def test_bad_keys_are_refused_without_repeating_them(text: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as refused:
        read_secret_keys(Settings(data_dir=tmp_path, secret_keys=text))
    assert "c2hvcnQ" not in str(refused.value)


def test_keys_come_newest_first(tmp_path: Path) -> None:
    keys = [bytes([number]) * 32 for number in (2, 1)]
    text = json.dumps([base64.b64encode(key).decode() for key in keys])
    assert read_secret_keys(Settings(data_dir=tmp_path, secret_keys=text)) == keys


def test_a_provider_of_identities_needs_all_that_was_agreed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CDS_OIDC_ISSUER", "https://id.example")
    with pytest.raises(ConfigurationError, match="CDS_OIDC_CLIENT_ID and CDS_OIDC_ROLES"):
        load_settings()
    monkeypatch.setenv("CDS_OIDC_CLIENT_ID", "cds")
    monkeypatch.setenv("CDS_OIDC_ROLES", '{"doctors": "clinician"}')
    assert load_settings().oidc_roles == {"doctors": "clinician"}
    monkeypatch.setenv("CDS_OIDC_ISSUER", "http://id.example")
    with pytest.raises(ConfigurationError, match="CDS_OIDC_ISSUER must be an absolute https URL"):
        load_settings()
    monkeypatch.setenv("CDS_OIDC_ISSUER", "https://id.example")
    monkeypatch.setenv("CDS_OIDC_ROLES", '{"doctors": "root"}')
    with pytest.raises(ConfigurationError, match="CDS_OIDC_ROLES"):
        load_settings()
