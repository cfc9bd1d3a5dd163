"""Where the database is away the caller is told so, and can try again."""

import asyncio
import socket
from pathlib import Path

import httpx

from cds_service.app import create_app
from cds_service.context import ProcessContext
from cds_service.settings import Settings


def test_a_database_that_is_away_is_503(tmp_path: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        url = f"postgresql+psycopg://nobody@127.0.0.1:{port}/none"
        context = ProcessContext.create(
            Settings(development=True, data_dir=tmp_path, database_url=url)
        )

        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(create_app(context))
            async with httpx.AsyncClient(transport=transport, base_url="http://test") as http:
                return await http.get("/cds-services")

        response = asyncio.run(ask())
    context.engine.dispose()
    assert response.status_code == 503
    (issue,) = response.json()["issue"]
    assert issue["code"] == "transient"
    assert "nobody" not in response.text
