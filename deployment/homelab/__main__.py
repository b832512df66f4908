"""`pulumi up` deploys the router, its operator and their edge."""

from stack import deploy

deploy()
