"""A native core that does not fit the sources beside it.

One line with the mend, whatever it breaks.
"""

import os
from types import SimpleNamespace

import pytest

from tui import native_core
from tui.commands import cli


@pytest.fixture
def native(tmp_path, monkeypatch):
    """Have a native core beside sources, and a command that fails for a missing name."""
    (tmp_path / "compiled").mkdir()
    source, built = tmp_path / "compiled" / "kernel.py", tmp_path / "__init__.so"
    source.touch()
    built.touch()
    monkeypatch.setattr(native_core, "CHECKOUT", tmp_path / "compiled")
    monkeypatch.setattr(native_core, "find_spec", lambda _: SimpleNamespace(origin=str(built)))

    def fail(error):
        def app(*_, **__):
            raise error

        monkeypatch.setattr(cli, "app", app)
        return cli.run_command(["doctor"])

    return SimpleNamespace(source=source, built=built, fail=fail)


@pytest.mark.parametrize(
    "error", [ImportError("cannot import name 'X'"), AttributeError("no X"), TypeError("2 given")]
)
def test_an_older_core_is_named_with_the_mend_and_code_two(native, error, capsys):
    os.utime(native.built, (1, 1))
    assert native.fail(error) == 2
    words = f"{type(error).__name__}: {error}"
    assert (
        capsys.readouterr().err
        == f"patang: the native core is older than compiled/: run make native ({words})\n"
    )


def test_one_that_cannot_be_loaded_is_named_too(native, capsys):
    os.utime(native.source, (1, 1))
    assert native.fail(ImportError("no such file", name="compiled.trading.kernel")) == 2
    assert "the native core cannot be loaded: run make native" in capsys.readouterr().err


@pytest.mark.parametrize(
    "error", [AttributeError("no X"), ImportError("no Y", name="pandas"), ZeroDivisionError("x")]
)
def test_what_a_fitting_core_has_nothing_to_do_with_is_raised(native, error):
    os.utime(native.source, (1, 1))
    with pytest.raises(type(error)):
        native.fail(error)


def test_plain_sources_are_never_old(native, monkeypatch):
    monkeypatch.setattr(
        native_core, "find_spec", lambda _: SimpleNamespace(origin=str(native.source))
    )
    assert not native_core.is_old()
