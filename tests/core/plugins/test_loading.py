"""What goes wrong with a plugin when it is loaded stays with that plugin, and its status says how to mend it."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from textwrap import dedent

import pytest

from modelyard import PluginError
from modelyard.core.errors import ConfigurationError, NotFound, PluginNotFound
from modelyard.core.plugin_manager import PluginManager

Install = Callable[..., str]
Check = Callable[[PluginManager], None]

PROVIDER = """
    from marshmallow import Schema, fields
    from modelyard import Health, Notifier, Storage, hookimpl

    class Pigeon(Notifier):
        name = "pigeon"
        title = "Pigeon"
        {body}

        def health(self):
            return Health(True)

        def send(self, notification):
            pass

    @hookimpl
    def register_notifiers(register):
        register(Pigeon)
"""


def provider(body: str) -> str:
    return PROVIDER.format(body=body)


@dataclass
class Broken:
    """A plugin that must not be loaded, and words that its error and hint must hold."""

    source: str
    error: tuple[str, ...]
    hint: tuple[str, ...] = ()
    metadata: str = ""


CASES = {
    "a missing module": Broken("import flux_capacitor", ("'flux_capacitor'",), ("pip install flux-capacitor",)),
    "a missing module that the distribution requires": Broken(
        "import flux_capacitor.core",
        ("flux_capacitor",),
        ("pip install 'flux.Capacitor>=2'",),
        metadata="Requires-Dist: flux.Capacitor>=2\n",
    ),
    "a missing module of an extra": Broken(
        "import flux_capacitor",
        ("flux_capacitor",),
        ("pip install 'broken-dist[time]'",),
        metadata='Provides-Extra: time\nRequires-Dist: flux-capacitor ; extra == "time"\n',
    ),
    "a missing module, and an extra of the plugin's name": Broken(
        "import flux_capacitor",
        ("flux_capacitor",),
        ("pip install 'broken-dist[broken]'",),
        metadata="Provides-Extra: broken\n",
    ),
    "a missing part of itself": Broken("import broken.gone", ("broken.gone",), ("--force-reinstall broken-dist",)),
    "a missing name": Broken("from json import flux", ("flux",), ("pip install --upgrade broken-dist",)),
    "a syntax error": Broken("def broken(:", ("SyntaxError",)),
    "an exception": Broken("raise ValueError('no good')", ("ValueError", "no good")),
    "SystemExit": Broken("import sys; sys.exit(3)", ("SystemExit", "3")),
    "KeyboardInterrupt": Broken("raise KeyboardInterrupt", ("KeyboardInterrupt",)),
    "an exception that cannot be described": Broken(
        "class Bad(Exception):\n    def __str__(self):\n        raise self\nraise Bad", ("cannot be described",)
    ),
    "another hook API version": Broken(
        "HOOK_API_VERSION = 99", ("hook API 99", "this is 1"), ("pip install --upgrade",)
    ),
    "a range of hook API versions without this one": Broken(
        "HOOK_API_VERSION = '>=2,<4'", ("hook API '>=2,<4'", "this is 1"), ("pip install --upgrade",)
    ),
    "a hook API version that is a word": Broken("HOOK_API_VERSION = 'new'", ("'new'", "no range"), (">=1,<2",)),
    "a hook API version that is a list": Broken("HOOK_API_VERSION = [1]", ("[1]", "no number"), (">=1,<2",)),
    "a hook API version that is a truth": Broken("HOOK_API_VERSION = True", ("True", "no number"), (">=1,<2",)),
    "a hook API version that cannot be shown": Broken(
        "class Bad:\n    def __repr__(self):\n        raise ValueError('no')\nHOOK_API_VERSION = Bad()", ("ValueError",)
    ),
    "a wrong argument": Broken(
        "from modelyard import hookimpl\n@hookimpl\ndef stage_changed(evnt): pass",
        ("stage_changed", "evnt"),
        ("arguments",),
    ),
    "an unknown hook": Broken(
        "from modelyard import hookimpl\n@hookimpl\ndef stage_chnaged(event): pass",
        ("'stage_chnaged'",),
        ("stage_changed",),
    ),
    "abstract methods left": Broken(
        provider("").replace("def send", "def dispatch"), ("Pigeon", "'broken'", "abstract methods are left: send")
    ),
    "no name": Broken(provider("").replace('name = "pigeon"', ""), ("Pigeon", "name must match")),
    "a name that is no slug": Broken(provider("").replace('"pigeon"', '"Carrier Pigeon"'), ("Carrier Pigeon",)),
    "no title": Broken(provider("").replace('title = "Pigeon"', "title = ''"), ("Pigeon", "title must")),
    "a schema that is an instance": Broken(provider("settings_schema = Schema()"), ("settings_schema must",)),
    "a schema that cannot be made": Broken(
        provider("class settings_schema(Schema):\n            def __init__(self): raise OSError('no')"),
        ("OSError", "no"),
    ),
    "capabilities that are a list": Broken(provider("capabilities = ['local']"), ("capabilities must be a frozenset",)),
    "a secret below the first level": Broken(
        provider(
            "settings_schema = Schema.from_dict({'login': fields.Nested("
            "Schema.from_dict({'password': fields.Str(metadata={'secret': True})}))})"
        ),
        ("the secret inside of 'login'",),
    ),
    "a class of another kind": Broken(
        provider("").replace("register_notifiers", "register_storages"), ("Pigeon", "no subclass of modelyard.Storage")
    ),
    "an object instead of a class": Broken(
        provider("").replace("register(Pigeon)", "register(Pigeon({}))"), ("an object of type Pigeon",)
    ),
    "a name that is taken": Broken(
        provider("").replace('"pigeon"', '"a_neighbour_notifier"'),
        ("Pigeon", "'a_neighbour_notifier' is taken by the plugin 'a_neighbour'"),
    ),
    "the same name twice": Broken(
        provider("").replace("register(Pigeon)", "register(Pigeon); register(Pigeon)"),
        ("taken by the plugin 'broken'",),
    ),
    "a register hook that raises": Broken(
        "from modelyard import hookimpl\n@hookimpl\ndef register_notifiers(register): raise RuntimeError('not today')",
        ("RuntimeError", "not today"),
    ),
    "a refusal that the plugin swallows": Broken(
        provider("").replace(
            "register(Pigeon)", "\n        try:\n            register(str)\n        except Exception: pass"
        ),
        ("str", "no subclass"),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_broken_plugin_is_listed_with_its_reason_and_harms_nobody(
    name: str, install: Install, neighbours_work: Check
) -> None:
    case = CASES[name]
    install("broken", case.source, metadata=case.metadata)

    manager = PluginManager()

    status = manager.plugin("broken")
    assert (status.state, status.distribution, status.version) == ("failed", "broken-dist", "1.2")
    assert (status.hooks, status.providers) == ((), ())
    for words in case.error:
        assert words in (status.error or "")
    for words in case.hint:
        assert words in (status.hint or "")
    neighbours_work(manager)


@pytest.mark.usefixtures("hang")
def test_a_hanging_import_is_given_up(install: Install, neighbours_work: Check) -> None:
    install("broken", "import builtins; builtins.modelyard_test_hang.wait()")

    manager = PluginManager(load_deadline_seconds=0.2)

    assert manager.plugin("broken").state == "failed"
    assert "within 0.2 seconds" in (manager.plugin("broken").error or "")
    assert manager.guard.lost_threads() == {("broken", None): 1}
    neighbours_work(manager)


@pytest.mark.usefixtures("hang")
def test_a_hanging_register_hook_is_given_up(install: Install, neighbours_work: Check) -> None:
    install(
        "broken",
        """
        import builtins
        from modelyard import hookimpl

        @hookimpl
        def register_storages(register):
            builtins.modelyard_test_hang.wait()
        """,
    )

    manager = PluginManager(load_deadline_seconds=0.2)

    assert manager.plugin("broken").state == "failed"
    neighbours_work(manager)


def test_what_a_refused_class_costs_is_its_own_call(install: Install, neighbours_work: Check) -> None:
    source = provider("") + "    @hookimpl\n    def register_storages(register):\n        register(Pigeon)\n"
    install("half", source)

    manager = PluginManager()

    status = manager.plugin("half")
    assert status.state == "loaded"
    assert "no subclass of modelyard.Storage" in (status.error or "")
    assert [entry.name for entry in status.providers] == ["pigeon"]
    neighbours_work(manager)


def test_a_name_of_ours_cannot_be_taken(install: Install) -> None:
    install("a_thief", provider("").replace('"pigeon"', '"webhook"'))

    manager = PluginManager()

    assert manager.provider("notifier", "webhook").plugin == "webhook"
    assert "taken by the plugin 'webhook'" in (manager.plugin("a_thief").error or "")


def test_the_second_of_two_plugins_of_one_name_fails(install: Install) -> None:
    install("pigeon", provider(""), distribution="first")
    install("other_pigeon", provider(""), distribution="second", entry_points={"pigeon": "other_pigeon"})

    manager = PluginManager()

    states = {(one.distribution, one.state) for one in manager.plugins() if one.name == "pigeon"}
    assert states == {("first", "loaded"), ("second", "failed")}
    assert manager.provider("notifier", "pigeon").cls.__module__ == "pigeon"


def test_one_module_under_two_names_fails_the_second_time(install: Install) -> None:
    install("pigeon", provider(""), entry_points={"pigeon": "pigeon", "pigeon_again": "pigeon"})

    manager = PluginManager()

    assert manager.plugin("pigeon").state == "loaded"
    assert manager.plugin("pigeon_again").state == "failed"


def test_an_object_can_be_a_plugin(install: Install) -> None:
    install(
        "pigeon",
        """
        from modelyard import hookimpl

        class Plugin:
            told = []

            @hookimpl
            def stage_changed(self, event):
                self.told.append(event)

        plugin = Plugin()
        """,
        entry_points={"pigeon": "pigeon:plugin", "missing": "pigeon:nothing"},
    )

    manager = PluginManager()
    manager.tell("pigeon", "stage_changed", "event")  # type: ignore[arg-type]

    assert manager.plugin("missing").state == "failed"
    assert "nothing" in (manager.plugin("missing").error or "")


def test_an_object_that_cannot_be_hashed_or_looked_at_fails_alone(install: Install, neighbours_work: Check) -> None:
    install(
        "broken",
        """
        class Unhashable:
            __hash__ = None

        class Explosive:
            def __getattribute__(self, name):
                raise RuntimeError("do not touch")

        unhashable, explosive = Unhashable(), Explosive()
        """,
        entry_points={"unhashable": "broken:unhashable", "explosive": "broken:explosive"},
    )

    manager = PluginManager()

    assert manager.plugin("unhashable").state == "failed"
    assert manager.plugin("explosive").state == "failed"
    neighbours_work(manager)


def test_an_empty_module_is_a_loaded_plugin(install: Install) -> None:
    install("empty", "")

    assert PluginManager().plugin("empty").state == "loaded"


def test_a_disabled_plugin_is_listed_and_never_imported(install: Install, neighbours_work: Check) -> None:
    install("broken", "raise SystemExit('imported')")

    manager = PluginManager(disabled=frozenset({"broken", "not_installed"}))

    status = manager.plugin("broken")
    assert (status.state, status.error) == ("disabled", None)
    assert "MODELYARD_PLUGINS_DISABLED" in (status.hint or "")
    neighbours_work(manager)


class TestSelection:
    def test_a_provider_that_is_there_is_returned(self) -> None:
        entry = PluginManager().require("storage", "local_files")

        assert (entry.kind, entry.name, entry.plugin) == ("storage", "local_files", "local_files")
        assert entry.title
        assert "local" in entry.capabilities

    def test_a_missing_one_names_what_there_is(self) -> None:
        with pytest.raises(PluginNotFound, match=r"'flying_disc'.*local_files"):
            PluginManager().provider("storage", "flying_disc")

    def test_a_failed_plugin_of_that_name_is_the_reason(self, install: Install) -> None:
        install("tape", "import tape_driver")

        with pytest.raises(ConfigurationError) as caught:
            PluginManager().require("storage", "tape")

        assert "storage 'tape'" in caught.value.message
        assert "tape_driver" in (caught.value.hint or "")
        assert "pip install tape-driver" in (caught.value.hint or "")

    def test_a_disabled_plugin_of_that_name_is_the_reason(self) -> None:
        manager = PluginManager(disabled=frozenset({"local_files"}))

        with pytest.raises(ConfigurationError, match=r"is disabled.*MODELYARD_PLUGINS_DISABLED"):
            manager.require("storage", "local_files")

    def test_an_unknown_plugin_or_kind_is_refused(self) -> None:
        manager = PluginManager()

        with pytest.raises(NotFound, match=r"Installed: .*webhook"):
            manager.plugin("nobody")
        with pytest.raises(ValueError, match="Kinds: storage"):
            manager.providers("teleporter")

    def test_providers_are_listed_by_kind(self) -> None:
        manager = PluginManager()

        assert {entry.name for entry in manager.providers("notifier")} >= {"log", "webhook"}
        assert {entry.kind for entry in manager.providers()} >= {"notifier", "storage"}


class TestStartup:
    SOURCE = """
        from modelyard import hookimpl
        SEEN = []

        @hookimpl
        def startup(process):
            SEEN.append(process)
            {then}
    """

    def test_it_is_told_the_process(self, install: Install, neighbours_work: Check) -> None:
        install("early", self.SOURCE.format(then=""))
        manager = PluginManager()

        manager.startup("worker")

        assert sys.modules["early"].SEEN == ["worker"]
        assert manager.plugin("early").hooks == ("startup",)

    def test_what_it_raises_is_shown_and_the_plugin_stays(self, install: Install, neighbours_work: Check) -> None:
        install("early", self.SOURCE.format(then="raise RuntimeError('no coffee')"))
        manager = PluginManager()

        manager.startup("web")

        assert manager.plugin("early").state == "loaded"
        assert "no coffee" in (manager.plugin("early").error or "")
        neighbours_work(manager)

    @pytest.mark.usefixtures("hang")
    def test_a_hanging_one_is_given_up(self, install: Install, neighbours_work: Check) -> None:
        install("early", self.SOURCE.format(then="import builtins; builtins.modelyard_test_hang.wait()"))
        manager = PluginManager(load_deadline_seconds=0.5)

        manager.startup("web")

        assert "within 0.5 seconds" in (manager.plugin("early").error or "")
        neighbours_work(manager)


class TestMoments:
    def test_subscribers_are_those_who_implement_it(self, neighbours_work: Check) -> None:
        manager = PluginManager()

        assert {"a_neighbour", "z_neighbour"} <= set(manager.subscribers("stage_changed"))
        assert "a_neighbour" not in manager.subscribers("run_finished")
        assert manager.plugin("a_neighbour").moments == ("stage_changed",)
        with pytest.raises(ValueError, match="no moment"):
            manager.subscribers("startup")

    def test_a_raising_plugin_is_named_and_its_neighbours_are_told(
        self, install: Install, neighbours_work: Check
    ) -> None:
        install(
            "moody",
            "from modelyard import hookimpl\n@hookimpl\ndef stage_changed(event): raise ValueError('not in the mood')",
        )
        manager = PluginManager()

        with pytest.raises(
            PluginError, match="'moody' failed in 'stage_changed': ValueError: not in the mood"
        ) as caught:
            manager.tell("moody", "stage_changed", object())  # type: ignore[arg-type]

        assert (caught.value.plugin, caught.value.operation) == ("moody", "stage_changed")
        assert manager.guard.failures["moody", "stage_changed"] == 1
        neighbours_work(manager)

    def test_a_hook_gets_only_the_arguments_that_it_names(self, install: Install) -> None:
        install("terse", "from modelyard import hookimpl\n@hookimpl\ndef run_finished(): pass")

        PluginManager().tell("terse", "run_finished", object())  # type: ignore[arg-type]

    def test_whoever_does_not_implement_it_is_not_found(self, install: Install) -> None:
        install("empty", "")
        manager = PluginManager()

        for plugin in ("empty", "gone"):
            with pytest.raises(PluginNotFound, match="is not told of"):
                manager.tell(plugin, "run_finished", object())  # type: ignore[arg-type]


@pytest.mark.parametrize("declared", ["1", "'>=1,<2'", "'>=1'", "'==1'", "'!=2'"])
def test_a_hook_api_version_that_fits_is_loaded(install: Install, declared: str) -> None:
    install("fitting", f"HOOK_API_VERSION = {declared}\n" + dedent(provider("")))

    status = PluginManager().plugin("fitting")

    assert (status.state, status.error) == ("loaded", None)
