"""E-mail: to an SMTP server, or into a Maildir folder where none is set."""

import smtplib
from email.message import EmailMessage
from mailbox import Maildir
from pathlib import Path
from urllib.parse import urlsplit

from growbin_jobs.engine import Deferred, Permanent, Transient

#: Seconds to wait for the server.
TIMEOUT = 10


def send(message: EmailMessage, url: str, folder: Path) -> None:
    """Hand a message over.

    Parameters:
      message: With its addresses, and a ``Message-ID`` that a repeated run has again.
      url: ``smtp://host:port``; empty: the folder.
      folder: A Maildir, made where it is missing.

    Raises:
      Deferred: The server is away, or asks to come back.
      Permanent: It refuses the message for good.
      Transient: The connection broke.
    """
    if not url:
        folder.parent.mkdir(parents=True, exist_ok=True)
        Maildir(folder).add(message)
        return
    server = urlsplit(url)
    try:
        with smtplib.SMTP(server.hostname or "", server.port or 25, timeout=TIMEOUT) as smtp:
            smtp.send_message(message)
    except smtplib.SMTPRecipientsRefused as error:
        _judge(max(code for code, _ in error.recipients.values()))
    except smtplib.SMTPResponseException as error:
        _judge(error.smtp_code)
    except smtplib.SMTPException as error:
        raise Transient(f"the mail server broke off ({type(error).__name__})") from None
    except OSError as error:
        raise Deferred(f"the mail server cannot be reached ({type(error).__name__})", wait=5) from None


def _judge(code: int) -> None:
    if code < 500:
        raise Deferred(f"the mail server asks to wait (code {code})", wait=30)
    raise Permanent("mail_refused", status=code)
