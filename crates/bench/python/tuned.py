"""The function in Python, as fast as boto3 makes it without tricks: clients and credentials are kept between calls."""

import json
import os
from datetime import datetime, timedelta, timezone

import boto3
from botocore.config import Config

# Each thread of a pool has a request under way.
CONFIG = Config(max_pool_connections=64)
SESSION = boto3.session.Session()
STS = SESSION.client("sts", config=CONFIG)
# Once here, so that the service's model is loaded in init.
SESSION.client("s3", config=CONFIG)

# By account: the client with its session's credentials, and when they are renewed.
clients = {}


def client(account, role):
    cached = clients.get(account)
    if cached and datetime.now(timezone.utc) < cached[1]:
        return cached[0]
    credentials = STS.assume_role(
        RoleArn=f"arn:aws:iam::{account}:role/{role}", RoleSessionName="list-s3-buckets"
    )["Credentials"]
    s3 = SESSION.client(
        "s3",
        aws_access_key_id=credentials["AccessKeyId"],
        aws_secret_access_key=credentials["SecretAccessKey"],
        aws_session_token=credentials["SessionToken"],
        config=CONFIG,
    )
    clients[account] = (s3, credentials["Expiration"] - timedelta(minutes=5))
    return s3


def list_buckets(account, role):
    names = []
    token = {}
    s3 = client(account, role)
    while True:
        page = s3.list_buckets(MaxBuckets=10_000, **token)
        names += [bucket["Name"] for bucket in page["Buckets"]]
        if not page.get("ContinuationToken"):
            return names
        token = {"ContinuationToken": page["ContinuationToken"]}


def handler(event, context):
    names = list_buckets(os.environ["TARGET_ACCOUNT_ID"], os.environ["S3_READ_ROLE"])
    return {"statusCode": 200, "body": json.dumps(names)}
