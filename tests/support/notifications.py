"""Notifications of uploads as senders write them."""

import json
from urllib.parse import quote_plus


def aws(key: str, *, bucket: str = "footage", event: str = "ObjectCreated:Put", **stored: object) -> str:
    """What AWS S3 sends, as its documentation has it (event version 2.1)."""
    return json.dumps({"Records": [aws_record(key, bucket=bucket, event=event, **stored)]})


def aws_record(key: str, *, bucket: str = "footage", event: str = "ObjectCreated:Put", **stored: object) -> dict:
    told = {"size": 1024, "eTag": "d41d8cd98f00b204e9800998ecf8427e", "sequencer": "0055AED6DCD90281E5", **stored}
    return {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": "eu-central-1",
        "eventTime": "1970-01-01T00:00:00.000Z",
        "eventName": event,
        "userIdentity": {"principalId": "AIDAJDPLRKLG7UEXAMPLE"},
        "requestParameters": {"sourceIPAddress": "192.0.2.7"},
        "responseElements": {"x-amz-request-id": "C3D13FE58DE4C810", "x-amz-id-2": "FMyUVURIY8/IgAtTv8xRjskZQpcI"},
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": "posefleet",
            "bucket": {
                "name": bucket,
                "ownerIdentity": {"principalId": "A3NL1KOZZKExample"},
                "arn": f"arn:aws:s3:::{bucket}",
            },
            "object": {"key": quote_plus(key, safe="/"), **told},
        },
    }


def sns(message: str) -> str:
    """A notification of SNS."""
    return json.dumps(
        {
            "Type": "Notification",
            "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
            "TopicArn": "arn:aws:sns:eu-central-1:123456789012:uploads",
            "Subject": "Amazon S3 Notification",
            "Message": message,
            "Timestamp": "1970-01-01T00:00:00.000Z",
            "SignatureVersion": "1",
            "Signature": "EXAMPLEw6JRN",
        }
    )


def sqs(*bodies: str) -> str:
    """Messages as SQS hands them to whoever it calls."""
    names = {"messageId": "059f36b4-87a3-44ab-83d2-661975830a7d", "receiptHandle": "AQEBwJnKyrHigUMZj6rYigCg"}
    return json.dumps({"Records": [{**names, "body": body, "eventSource": "aws:sqs"} for body in bodies]})


def test_event() -> str:
    """What AWS sends when notifications are set up."""
    return json.dumps(
        {
            "Service": "Amazon S3",
            "Event": "s3:TestEvent",
            "Time": "2014-10-13T15:57:02.089Z",
            "Bucket": "footage",
            "RequestId": "5582815E1AEA5ADF",
            "HostId": "8cLeGAmw098X5cv4Zkwcmo8vvZa3eH3eKxsPzbB9wrR+YstdA6Knx4Ip8EXAMPLE",
        }
    )


def minio(key: str, *, bucket: str = "footage", event: str = "s3:ObjectCreated:Put", **stored: object) -> str:
    """What MinIO's webhook sends."""
    told = {"size": 1024, "eTag": "d41d8cd98f00b204e9800998ecf8427e", "contentType": "video/mp4", **stored}
    record = aws_record(key, bucket=bucket, event=event)
    record |= {"eventVersion": "2.0", "eventSource": "minio:s3", "awsRegion": ""}
    record["s3"]["object"] = {"key": quote_plus(key), "sequencer": "175E6AA5C4B6F5C8", "versionId": "1", **told}
    record["source"] = {"host": "192.0.2.9", "port": "", "userAgent": "MinIO (linux; amd64) minio-go/v7.0.63"}
    return json.dumps({"EventName": event, "Key": f"{bucket}/{key}", "Records": [record]})
