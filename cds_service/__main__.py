"""The command line: `cds-service COMMAND`."""

import sys

from sqlalchemy.exc import OperationalError

from cds_service.cli.app import app
from cds_service.errors import ConfigurationError, ServiceError
from fhir_mapping.errors import MappingError
from model.errors import ModelError


def main() -> None:
    """Run a command; an error the user can act on is one sentence, not a traceback."""
    try:
        app()
    except (ConfigurationError, ServiceError, MappingError, ModelError) as error:
        sys.stderr.write(f"cds-service: {error}\n")
        sys.exit(1)
    except OperationalError:
        # Its message holds the statement and may hold the address with its password.
        sys.stderr.write(
            "cds-service: the database of CDS_DATABASE_URL cannot be reached or opened\n"
        )
        sys.exit(1)


if __name__ == "__main__":
    main()
