"""The error tree: each message says what was wrong, where, and what to do next."""


class LowresStiltsError(Exception):
    """Anything that a user can mend; the command line prints it in one line."""

    exit_code = 1


class UsageError(LowresStiltsError):
    """The command or its recipe asks for something that does not exist."""

    exit_code = 2


class TooLongError(UsageError):
    """A text has more tokens than an encoder takes, and may not be cut."""


class RecipeError(UsageError):
    """A recipe has a wrong key or value."""


class MissingExtraError(LowresStiltsError):
    """A library is missing that an extra installs."""


class PluginError(LowresStiltsError):
    """An installed plug-in cannot be used."""


class DataError(LowresStiltsError):
    """A data file is missing, malformed or does not fit its task."""


class EncoderError(LowresStiltsError):
    """The encoder cannot be found, loaded or quantized."""


class RunError(LowresStiltsError):
    """A run folder cannot be started, resumed or written."""


class TrainingError(LowresStiltsError):
    """Training cannot go on, for instance because the loss is not a number."""


class BundleError(LowresStiltsError):
    """An exported bundle is damaged, unsafe, or cannot be used here."""


class ServiceError(LowresStiltsError):
    """The service cannot start."""


class PackageError(LowresStiltsError):
    """An adapter package is damaged, unsafe, or does not fit."""


class ExportError(LowresStiltsError):
    """A bundle cannot be made, or is not what it should be."""
