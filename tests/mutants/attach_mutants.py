"""Ways to break attached screens: a viewer that acts, an operator without the passphrase."""

from tests.mutants.engine_mutants import Mutant

SERVER = "tui/attach/screen_server.py"
PASSPHRASE = "tui/attach/operator_passphrase.py"

ATTACH = (
    Mutant(
        "a viewer's request is passed to the engine",
        SERVER,
        'why = "" if screen.may_act else REFUSED',
        'why = ""',
    ),
    Mutant(
        "a viewer's call of anything is carried out",
        SERVER,
        'why = "" if screen.may_act or call.method in LOOKS else REFUSED',
        'why = ""',
    ),
    Mutant(
        "every screen is an operator's",
        SERVER,
        "return self.seat.role == OPERATOR",
        "return True",
    ),
    Mutant(
        "an operator is let in whatever was typed",
        SERVER,
        "why = await asyncio.to_thread(self._check.why_not, message.words)",
        'why = ""',
    ),
    Mutant(
        "a message in place of the passphrase lets an operator in",
        SERVER,
        'return "a passphrase was due"',
        'return ""',
    ),
    Mutant(
        "a file that is not there opens with any words",
        PASSPHRASE,
        ".get(_NAME) == _VALUE",
        ".get(_NAME) in {_VALUE, None}",
    ),
    Mutant(
        "wrong passphrases are taken without end",
        PASSPHRASE,
        "if len(self._wrong) == TRIES and now - self._wrong[0] < WITHIN_S:",
        "if False:",
    ),
    Mutant(
        "an act carries the name that the screen gives itself",
        SERVER,
        "request = structs.replace(request, who=screen.seat.who)",
        "pass",
    ),
    Mutant(
        "a screen of another version is let in",
        SERVER,
        "if request.protocol != protocol_mark():",
        "if False:",
    ),
)
