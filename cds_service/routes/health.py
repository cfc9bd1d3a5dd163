"""Health of the process, for load balancers and orchestrators."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response

from cds_service.context import ProcessContext
from cds_service.routes.dependencies import answer, process
from cds_service.services import readiness

router = APIRouter(prefix="/health")
Process = Annotated[ProcessContext, Depends(process)]


# Without a thread: a process whose threads all wait is alive, and killing it would help nobody.
@router.get("/live", summary="The process runs")
async def live() -> Response:
    """200 as long as the process answers at all."""
    return answer({"status": "live"})


@router.get("/ready", summary="The process can answer CDS requests")
def ready(context: Process) -> Response:
    """200 with the live model's version, or 503 with what is missing."""
    problems = readiness.problems(context)
    if problems:
        return answer({"status": "not ready", "problems": problems}, status=503)
    scorer = context.champion.scorer
    version = None if scorer is None else scorer.facts.version
    return answer({"status": "ready", "model_version": version})
