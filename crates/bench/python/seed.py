"""The function in Python, as it is usually written: a client for each call, nothing kept between calls."""

import json
import os

import boto3


def list_buckets(account, role):
    credentials = boto3.client("sts").assume_role(
        RoleArn=f"arn:aws:iam::{account}:role/{role}", RoleSessionName="list-s3-buckets"
    )["Credentials"]
    s3 = boto3.client(
        "s3",
        aws_access_key_id=credentials["AccessKeyId"],
        aws_secret_access_key=credentials["SecretAccessKey"],
        aws_session_token=credentials["SessionToken"],
    )
    return [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]


def handler(event, context):
    names = list_buckets(os.environ["TARGET_ACCOUNT_ID"], os.environ["S3_READ_ROLE"])
    return {"statusCode": 200, "body": json.dumps(names)}
