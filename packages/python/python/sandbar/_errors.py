"""What is raised: one exception for each way in which a call can end."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ._sandbar import Receipt


class SandbarError(Exception):
    """Anything that Sandbar raises."""


class LoadError(SandbarError):
    """A plugin can't be loaded, or a host not be set up."""


class OptionError(LoadError, ValueError):
    """An option of a plugin is not known, or its value is not what it takes."""


class AnswerError(SandbarError, ValueError):
    """A call ended well, and its answer is not what was asked for."""

    def __init__(self, message: str, receipt: Receipt | None = None) -> None:
        super().__init__(message)
        self.receipt = receipt


class PluginError(SandbarError):
    """A call did not end well: ``outcome`` says how, and ``receipt`` what it did and used.

    There is no receipt where no call began.
    """

    def __init__(self, message: str, outcome: str = "", receipt: Receipt | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.outcome = outcome
        self.receipt = receipt

    def __reduce__(self) -> tuple[object, ...]:
        # Without the receipt, which is not pickled.
        details = {name: value for name, value in self.__dict__.items() if name != "receipt"}
        return (_again, (type(self), details))


class Failed(PluginError):
    """The plugin itself said that it failed; it can be called again as it is."""

    def __init__(self, message: str, outcome: str = "failed", receipt: Receipt | None = None, *, code: int | None = None) -> None:
        super().__init__(message, outcome, receipt)
        self.code = code


class Stopped(PluginError):
    """A limit was used up: ``limit`` is its name."""

    def __init__(self, message: str, outcome: str = "stopped", receipt: Receipt | None = None, *, limit: str = "") -> None:
        super().__init__(message, outcome, receipt)
        self.limit = limit


class TimedOut(Stopped, TimeoutError):
    """The call's time was up."""


class Trapped(PluginError):
    """The plugin broke: ``backtrace`` says where in it."""

    def __init__(self, message: str, outcome: str = "trapped", receipt: Receipt | None = None, *, backtrace: str = "") -> None:
        super().__init__(message, outcome, receipt)
        self.backtrace = backtrace


class Refused(PluginError):
    """The call was not let in, or asked for what is not granted: ``asked``; ``allow`` is the grant that would allow it."""

    def __init__(
        self, message: str, outcome: str = "refused", receipt: Receipt | None = None, *, asked: str = "", allow: str = ""
    ) -> None:
        super().__init__(message, outcome, receipt)
        self.asked = asked
        self.allow = allow


class Cancelled(PluginError):
    """Somebody ended the call."""


class Fault(PluginError):
    """The host failed. Where a function of the host raised something, that is its ``__cause__``."""


class Denied(Exception):
    """Raised by a function of the host that refuses what a plugin asks of it: the call ends as ``Refused``."""

    def __init__(self, asked: str, allow: str = "") -> None:
        super().__init__(asked)
        self._sandbar_denied = (asked, allow)


def _again(kind: type[PluginError], details: dict[str, object]) -> PluginError:
    error = kind.__new__(kind, details["message"])
    error.__dict__.update(details, receipt=None)
    return error
