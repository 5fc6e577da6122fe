"""The Python client of Modelyard's REST API; the command line and users' scripts are built on it.

    client = Client("https://modelyard.example.com", token)      # or MODELYARD_URL and MODELYARD_TOKEN
    for run in client.project("acme", "churn").runs.list(filter="metrics.auc > 0.9"):
        print(run["name"], run["metrics"]["auc"])

Things come back as the dictionaries that the API documents. Every error is a `ClientError`:

    ClientError
    ├── InvalidInputError         a value that cannot be taken; `errors` names the fields
    │   └── TooLargeError         more than a limit allows
    ├── AuthenticationError       no token, or one that is not good
    ├── PermissionDeniedError     the role or the token's scope is too small; the hint names the one needed
    ├── NotFoundError             no such thing for you
    ├── ConflictError             the present state forbids it
    │   └── ChangedMeanwhileError  it is not as `If-Match` says that you saw it
    ├── UnavailableError          try again later
    │   ├── RateLimitedError      too many requests
    │   └── ServerUnreachableError  nobody answered at that address
    ├── ServerError               the server failed
    ├── UnexpectedAnswerError     what answered does not speak this API
    ├── NotConfiguredError        no address of a server, or one that cannot be
    └── DeploymentError           waiting for a deployment ended without a ready one
        ├── DeploymentFailedError
        └── DeploymentTimeoutError

This package needs the standard library and, at the first request, `requests`; nothing else of Modelyard.
"""

from __future__ import annotations

from modelyard.client.addresses import sends_in_clear
from modelyard.client.audit import AuditLog, DeliveryLog
from modelyard.client.client import Client
from modelyard.client.connections import Connections
from modelyard.client.deployments import Deployments
from modelyard.client.errors import (
    AuthenticationError,
    ChangedMeanwhileError,
    ClientError,
    ConflictError,
    DeploymentError,
    DeploymentFailedError,
    DeploymentTimeoutError,
    InvalidInputError,
    NotConfiguredError,
    NotFoundError,
    PermissionDeniedError,
    PlainHttpWarning,
    RateLimitedError,
    ServerError,
    ServerUnreachableError,
    TooLargeError,
    UnavailableError,
    UnexpectedAnswerError,
)
from modelyard.client.experiments import Experiments
from modelyard.client.instance import Plugins, Sessions, Tokens
from modelyard.client.invitations import Invitations, OrganizationInvitations
from modelyard.client.models import Models
from modelyard.client.organizations import Members, Organizations, Projects
from modelyard.client.people import Account, ServiceAccounts, Users
from modelyard.client.project import Project
from modelyard.client.resource import Json
from modelyard.client.runs import Runs
from modelyard.client.traces import Traces
from modelyard.client.transport import (
    HttpTransport,
    Request,
    Response,
    Transport,
)

__all__ = [
    "Account",
    "AuditLog",
    "AuthenticationError",
    "ChangedMeanwhileError",
    "Client",
    "ClientError",
    "ConflictError",
    "Connections",
    "DeliveryLog",
    "DeploymentError",
    "DeploymentFailedError",
    "DeploymentTimeoutError",
    "Deployments",
    "Experiments",
    "HttpTransport",
    "InvalidInputError",
    "Invitations",
    "Json",
    "Members",
    "Models",
    "NotConfiguredError",
    "NotFoundError",
    "OrganizationInvitations",
    "Organizations",
    "PermissionDeniedError",
    "PlainHttpWarning",
    "Plugins",
    "Project",
    "Projects",
    "RateLimitedError",
    "Request",
    "Response",
    "Runs",
    "ServerError",
    "ServerUnreachableError",
    "ServiceAccounts",
    "Sessions",
    "Tokens",
    "TooLargeError",
    "Traces",
    "Transport",
    "UnavailableError",
    "UnexpectedAnswerError",
    "Users",
    "sends_in_clear",
]
