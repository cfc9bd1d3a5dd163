"""The endpoint of Subscriptions: what an EHR sends when Conditions have changed."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response

from cds_service.context import ProcessContext
from cds_service.routes.dependencies import answer, body, fhir_client, process
from cds_service.routes.fhir import FHIR_JSON
from cds_service.routes.fhir_conditions import fhir_json
from cds_service.security.clients import Client, Right
from cds_service.services.subscriptions import SubscriptionService
from fhir_mapping.replies import Reply

router = APIRouter(prefix="/fhir/subscriptions")
Process = Annotated[ProcessContext, Depends(process)]
Sender = Annotated[Client, Depends(fhir_client(Right.CONDITIONS))]
Body = Annotated[bytes, Depends(body)]
JSON = [Depends(fhir_json)]


@router.post("", summary="A notification: a ping, a Bundle or a resource", dependencies=JSON)
def notified(context: Process, sender: Sender, content: Body) -> Response:
    """200 without a body."""
    return _response(SubscriptionService(context).notified(content, sender))


@router.put("/{type_name}/{identifier}", summary="A resource that changed", dependencies=JSON)
def sent(
    type_name: str, identifier: str, context: Process, sender: Sender, content: Body
) -> Response:
    """200 without a body; what is no Condition and no Patient is passed over."""
    return _response(SubscriptionService(context).sent(type_name, identifier, content, sender))


@router.delete("/{type_name}/{identifier}", summary="A resource that was deleted")
def gone(type_name: str, identifier: str, context: Process, sender: Sender) -> Response:
    """204."""
    return _response(SubscriptionService(context).gone(type_name, identifier, sender))


def _response(reply: Reply) -> Response:
    if reply.body is None:
        return Response(status_code=reply.status)
    return answer(reply.body, status=reply.status, media_type=FHIR_JSON)
