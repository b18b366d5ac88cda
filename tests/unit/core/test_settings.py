"""Settings: every environment in every map, nothing required left to a default."""

from __future__ import annotations

from pathlib import Path

import pytest

from paymentor_assets import settings as module
from paymentor_assets.settings import PROJECT_ROOT, Environment, Settings
from resources.errors import SettingsError

PRODUCTION = {
    "PAYMENTOR_ENV": "production",
    "PAYMENTOR_HOME": "/srv/paymentor",
    "PAYMENTOR_CATALOG_TYPE": "glue",
    "PAYMENTOR_WAREHOUSE": "s3://lake",
    "PAYMENTOR_OPERATIONAL_URL": "postgresql+psycopg://store/operational",
    "PAYMENTOR_VAULT_URL": "postgresql+psycopg://store/vault",
    "PAYMENTOR_VAULT_KEY": "given",
    "PAYMENTOR_TOKEN_KEY": "given",
    "PAYMENTOR_EXTRACT_KEY": "given",
}


@pytest.mark.parametrize("name", ["typo", "", "Production", "prod "])
def test_an_unknown_environment_is_refused_with_the_known_ones(name: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.load({"PAYMENTOR_ENV": name})
    assert repr(name) in str(caught.value)
    for environment in Environment:
        assert environment.value in str(caught.value)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("map_name", ["AUTOMATION_IS_ON", "REQUIRED_VARIABLES", "MAKES_OWN_KEYS"])
def test_every_environment_stands_in_every_map(map_name: str) -> None:
    assert set(getattr(module, map_name)) == set(Environment)


def test_a_laptop_needs_no_variable() -> None:
    settings = Settings.load({})
    assert settings.environment is Environment.LOCAL
    assert settings.home == PROJECT_ROOT / ".paymentor"
    assert settings.catalog_properties["type"] == "sql"
    assert not settings.is_automation_on
    assert settings.makes_own_keys


@pytest.mark.parametrize("environment", ["staging", "production"])
@pytest.mark.parametrize("variable", [v for v in PRODUCTION if v != "PAYMENTOR_ENV"])
def test_a_deployment_lacking_a_variable_is_told_which(environment: str, variable: str) -> None:
    env = {**PRODUCTION, "PAYMENTOR_ENV": environment}
    assert Settings.load(env).is_automation_on
    with pytest.raises(SettingsError, match=f"PAYMENTOR_ENV={environment} needs {variable}; set"):
        Settings.load({name: value for name, value in env.items() if name != variable})
    with pytest.raises(SettingsError, match=variable):
        Settings.load({**env, variable: ""})


def test_a_deployment_never_makes_keys_and_has_no_local_catalog() -> None:
    settings = Settings.load(PRODUCTION)
    assert not settings.makes_own_keys
    assert settings.catalog_properties == {"type": "glue", "warehouse": "s3://lake"}


def test_a_relative_home_resolves_against_the_project_root_wherever_one_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert Settings.load({"PAYMENTOR_HOME": "some/../home"}).home == PROJECT_ROOT / "home"
    assert Settings.load({"PAYMENTOR_HOME": str(tmp_path)}).home == tmp_path


def test_everything_local_lies_under_the_home(tmp_path: Path) -> None:
    settings = Settings.load({"PAYMENTOR_HOME": str(tmp_path)})
    for name in dir(Settings):
        if name.endswith(("_dir", "_path")) or name == "dagster_home":
            assert getattr(settings, name).is_relative_to(tmp_path), name
    for url in (settings.operational_url, settings.vault_url, settings.catalog_properties["uri"]):
        assert url.startswith(f"sqlite:///{tmp_path}/")


@pytest.mark.parametrize(("value", "is_on"), [("on", True), ("off", False)])
def test_automation_is_overridden_by_word(value: str, is_on: bool) -> None:
    assert Settings.load({"PAYMENTOR_AUTOMATION": value}).is_automation_on is is_on


def test_automation_that_is_neither_on_nor_off_is_refused() -> None:
    with pytest.raises(SettingsError, match="'true'; it is either 'on' or 'off'"):
        Settings.load({"PAYMENTOR_AUTOMATION": "true"})
