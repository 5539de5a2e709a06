"""Many accounts in Python, in three ways: one after the other and in a pool of 20 threads, each account with clients of
its own, as `seed.py` has them; and in a pool with one client for all and what `tuned.py` keeps."""

import json
import os
import threading
from concurrent.futures import ThreadPoolExecutor

import boto3

THREADS = 20

with open(os.path.join(os.environ["LAMBDA_TASK_ROOT"], "targets.json")) as file:
    TARGETS = [(target["accountId"], target["role"]) for target in json.load(file)["targets"]]
POOL = ThreadPoolExecutor(THREADS)
SESSION = boto3.session.Session()
# Clients may be shared by threads, sessions may not (boto3's guide on multithreading). A session for each thread takes a
# third of a second each and is slower as a whole.
MAKING = threading.Lock()


def make(*arguments, **settings):
    with MAKING:
        return SESSION.client(*arguments, **settings)


def own_clients(target):
    account, role = target
    credentials = make("sts").assume_role(
        RoleArn=f"arn:aws:iam::{account}:role/{role}", RoleSessionName="list-s3-buckets"
    )["Credentials"]
    s3 = make(
        "s3",
        aws_access_key_id=credentials["AccessKeyId"],
        aws_secret_access_key=credentials["SecretAccessKey"],
        aws_session_token=credentials["SessionToken"],
    )
    return [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]


def answer(listed):
    accounts = [{"accountId": account, "buckets": names} for (account, _), names in zip(TARGETS, listed)]
    return {"statusCode": 200, "body": json.dumps({"complete": True, "accounts": accounts})}


def sequential(event, context):
    from seed import list_buckets

    return answer([list_buckets(account, role) for account, role in TARGETS])


def pool(event, context):
    return answer(list(POOL.map(own_clients, TARGETS)))


def one_session(event, context):
    from tuned import list_buckets

    return answer(list(POOL.map(lambda target: list_buckets(*target), TARGETS)))
