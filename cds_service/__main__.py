"""The command line: `cds-service COMMAND`."""

import sys
from typing import NoReturn

from sqlalchemy.exc import OperationalError

from cds_service.cli.app import app
from cds_service.errors import ConfigurationError, ServiceError
from cds_service.logs import place
from fhir_mapping.errors import MappingError
from model.errors import ModelError


def main() -> None:
    """Run a command; an error is one sentence, not a traceback, which might show values."""
    try:
        app()
    except (ConfigurationError, ServiceError, MappingError, ModelError) as error:
        _end(str(error))
    except OperationalError:
        # Its message holds the statement and may hold the address with its password.
        _end("the database of CDS_DATABASE_URL cannot be reached or opened")
    except OSError as error:
        _end(f"{error.filename}: {error.strerror}." if error.filename else _unexpected(error))
    except Exception as error:
        _end(_unexpected(error))


def _end(sentence: str) -> NoReturn:
    sys.stderr.write(f"cds-service: {sentence}\n")
    sys.exit(1)


def _unexpected(error: Exception) -> str:
    return f"unexpected {type(error).__name__} at {place(error.__traceback__)}"


if __name__ == "__main__":
    main()
