"""Everything mailflow raises on purpose, named by what the reader of the error can do.

    MailflowError
    |-- SettingsError        change the settings; the sentence says which
    |-- AssetError           mend a file under templates/ or classifiers/
    |-- ModelError           run `mailflow train` again
    |-- StoreError           the database refused; `temporary` says whether waiting helps
    |   `-- IllegalTransition   a state may not follow another: a bug or a second worker
    |-- ConnectionFailed     a server could not be reached or hung up: try again later
    |   `-- LoginRefused     the server said no to the credentials: check them, but try again too
    |-- SubmissionError      the mail server answered about one message
    |   |-- TemporaryRefusal    4yz, or lost before DATA: surely not sent, send again later
    |   |-- PermanentRefusal    5yz: never send again, show it to a person
    |   `-- OutcomeUnknown      lost after DATA began: may be sent, never send again blindly
    `-- PoisonMail           this mail cannot be processed: quarantine it, go on with the next

`temporary` is True where trying again later may help. Unknown exceptions count as temporary.
Why: a failure wrongly called permanent loses a mail; one wrongly called temporary costs five more attempts.
"""


class MailflowError(Exception):
    temporary: bool = True


class SettingsError(MailflowError):
    temporary = False


class AssetError(MailflowError):
    temporary = False


class ModelError(MailflowError):
    temporary = False


class StoreError(MailflowError):
    pass


class IllegalTransition(StoreError):
    temporary = False


class ConnectionFailed(MailflowError):
    pass


class LoginRefused(ConnectionFailed):
    pass


class SubmissionError(MailflowError):
    def __init__(self, message: str, *, reply_code: int | None = None, enhanced_status: str = "") -> None:
        super().__init__(message)
        self.reply_code = reply_code
        self.enhanced_status = enhanced_status


class TemporaryRefusal(SubmissionError):
    pass


class PermanentRefusal(SubmissionError):
    temporary = False


class OutcomeUnknown(SubmissionError):
    temporary = False


class PoisonMail(MailflowError):
    temporary = False


def is_temporary(error: BaseException) -> bool:
    """Whether trying again may help. Errors that are not ours count as temporary."""
    return error.temporary if isinstance(error, MailflowError) else True
