"""Values that make no sense are refused, and the message says what to write."""

import helm_python
import pytest

from tests.chart.rendering import render

BY_SCHEMA = [
    ("image: {tag: latest}", "/image/tag", "a version such as 0.1.0"),
    ("image: {repository: 'posefleet:1.0'}", "/image/repository", "the tag goes to image.tag"),
    ("image: {cpuDigest: 0badcafe}", "/image/cpuDigest", "sha256: and 64 hexadecimal digits"),
    ("image: {pullPolicy: Sometimes}", "/image/pullPolicy", "'IfNotPresent', 'Always', 'Never'"),
    ("image: {cachePath: cache}", "/image/cachePath", "begins with /"),
    ("image: {pullSecret: mine}", "/image", "'pullSecret' not allowed"),
    ("common: {extraEnv: [{name: POSEFLEET_BUCKET, value: x}]}", "/common/extraEnv/0/name", "below `settings`"),
    ("common: {resources: {limits: {cpu: 2 cores}}}", "/common/resources/limits/cpu", "500m, 2 or 4Gi"),
    ("common: {resources: {limits: {memory: null}}}", "/common/resources/limits", "missing property 'memory'"),
    ("common: {workSize: lots}", "/common/workSize", "500m, 2 or 4Gi"),
    ("poolDefaults: {concurrency: 0}", "/poolDefaults/concurrency", "minimum: got 0, want 1"),
    ("poolDefaults: {image: cuda}", "/poolDefaults/image", "'cpu', 'gpu'"),
    ("pools: {mine: {concurrency: 2}}", "/pools/mine", "missing property 'queues'"),
    ("pools: {mine: {queues: []}}", "/pools/mine/queues", "minItems: got 0, want 1"),
    ("pools: {mine: {queues: [inference]}}", "/pools/mine/queues/0", "'plan', 'infer', 'stitch', 'render', 'publish'"),
    ("pools: {Mine: {queues: [infer]}}", "Mine", "up to 20 lower case letters"),
    ("pools: {render: {gpu: 1}}", "/pools/render/gpu", "got number, want string"),
    ("pools: {render: {gpu: nvidia}}", "/pools/render/gpu", "nvidia.com/mig-1g.10gb"),
    ("pools: {render: {replicas: many}}", "/pools/render/replicas", "got string, want integer"),
    ("pools: {render: {maxReplicas: 0}}", "/pools/render/maxReplicas", "want 1"),
    ("pools: {render: {startupSeconds: 1}}", "/pools/render/startupSeconds", "want 6"),
    ("pools: {render: {settings: {bucket: other}}}", "/pools/render/settings", "'bucket' not allowed"),
    ("pools: {render: {settings: {backend: torch}}}", "/backend", "'auto', 'litert', 'tensorflow', 'gpu'"),
    ("api: {port: 80}", "/api/port", "minimum: got 80, want 1,024"),
    ("api: {replicas: 0}", "/api/replicas", "want 1"),
    ("api: {ingress: {enabled: true, tlsSecret: tls}}", "/api/ingress", "host: the name that people open"),
    ("api: {ingress: {enabled: true, host: a.example}}", "/api/ingress", "tokens must not travel in the clear"),
    ("api: {ingress: {host: 'https://a.example'}}", "/api/ingress/host", "without https://"),
    ("api: {tokensSecret: My_Secret}", "/api/tokensSecret", "the name of a Secret of this namespace"),
    ("poller: {queueUrl: uploads}", "/poller/queueUrl", "the https:// URL of a queue"),
    ("flower: {basicAuth: 'me:secret'}", "/flower/basicAuth", "name that in flower.existingSecret"),
    ("redis: {url: 'redis://:secret@host'}", "/redis/url", "name that in redis.existingSecret"),
    ("redis: {password: secret}", "/redis/password", "name that in redis.existingSecret"),
    ("redis: {tryOut: {enabled: false}}", "/redis", "a Secret with the address of your Redis, or tryOut.enabled=true"),
    ("redis: {existingSecret: mine}", "/redis", "tryOut.enabled=false, as existingSecret names a Redis of yours"),
    ("redis: {tryOut: {size: big}}", "/redis/tryOut/size", "500m, 2 or 4Gi"),
    ("redis: {tryOut: {image: valkey}}", "/redis/tryOut/image", "with a tag or a digest"),
    ("s3: {accessKeyId: AKIA}", "/s3/accessKeyId", "name that in s3.existingSecret"),
    ("s3: {secretAccessKey: secret}", "/s3/secretAccessKey", "name that in s3.existingSecret"),
    ("s3: {existingSecret: mine}", "/s3", "tryOut.enabled=false, as existingSecret has keys of an S3 of yours"),
    ("webhook: {secret: sesame}", "/webhook/secret", "name that in webhook.existingSecret"),
    ("settings: {webhook_hosts: intern.example}", "webhook.existingSecret", "only with a secret that signs them"),
    (
        "{redis: {existingSecret: mine, tryOut: {enabled: false}}, s3: {tryOut: {enabled: false}}}",
        "flower.existingSecret",
        "a Secret with user:password, or flower.enabled=false",
    ),
    ("autoscaling: {by: [keda, hpa]}", "/autoscaling/by", "'none', 'keda', 'hpa'"),
    ("autoscaling: {keda: {enabled: true}}", "/autoscaling/keda", "say autoscaling.by=keda: one autoscaler at a time"),
    ("autoscaling: {hpa: {enabled: true}}", "/autoscaling/hpa", "say autoscaling.by=hpa: one autoscaler at a time"),
    ("autoscaling: {stabilizationSeconds: 60}", "/autoscaling/stabilizationSeconds", "got 60, want 300"),
    ("autoscaling: {cooldownSeconds: 0}", "/autoscaling/cooldownSeconds", "want 60"),
    ("autoscaling: {prometheus: 'prometheus:9090'}", "/autoscaling/prometheus", "http://host:port of a Prometheus"),
    ("podDisruptionBudget: {maxUnavailable: 0}", "/podDisruptionBudget/maxUnavailable", "want 1"),
    (
        "podDisruptionBudget: {maxUnavailable: 0%}",
        "/podDisruptionBudget/maxUnavailable",
        "or nodes could not be drained",
    ),
    ("networkPolicy: {redisTo: [10.0.0.0/8]}", "/networkPolicy/redisTo/0", "got string, want object"),
    ("networkPolicy: {s3To: [{ipBlock: {}}]}", "/networkPolicy/s3To/0/ipBlock", "missing property 'cidr'"),
    ("networkPolicy: {s3Ports: []}", "/networkPolicy/s3Ports", "want 1"),
    ("monitoring: {intervalSeconds: 1}", "/monitoring/intervalSeconds", "want 5"),
    ("probes: {heartbeatSeconds: 5}", "/probes/heartbeatSeconds", "want 30"),
    ("settings: {batch_frame: 100}", "/settings", "'batch_frame' not allowed"),
    ("settings: {batch_frames: 0}", "/settings/batch_frames", "want 1"),
    ("settings: {bucket: My_Bucket}", "/settings/bucket", "3 to 63 lower case letters"),
    ("settings: {s3_endpoint: 's3:8333'}", "/settings/s3_endpoint", "http://host:port"),
    ("settings: {log_format: xml}", "/settings/log_format", "'text', 'json'"),
    ("settings: {retention_days: soon}", "/settings/retention_days", "a number, or empty for none"),
    ("settings: {watch: films/in}", "/settings/watch", "s3://bucket/prefix/, several with commas between"),
    ("settings: {watch_options: best}", "/settings/watch_options", "options as a JSON object"),
    ("settings: {redis_url: 'redis://host'}", "/settings/redis_url", "name that in redis.existingSecret"),
    ("settings: {s3_secret_access_key: secret}", "/settings/s3_secret_access_key", "name that in s3.existingSecret"),
    ("settings: {data_dir: /data}", "/settings/data_dir", "decided by the chart: leave it out"),
    ("replicaCount: 3", "", "'replicaCount' not allowed"),
]


@pytest.mark.parametrize(("given", "where", "said"), BY_SCHEMA, ids=[each[0] for each in BY_SCHEMA])
def test_the_schema_refuses(given: str, where: str, said: str):
    with pytest.raises(helm_python.HelmValuesError) as refused:
        render(given)
    assert where in str(refused.value)
    assert said in str(refused.value)
    assert "secret@" not in str(refused.value)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("settings: {task_limit_s: 50}", "task_soft_limit_s must be less than task_limit_s"),
        ("settings: {visibility_timeout_s: 120}", "less than visibility_timeout_s"),
        ("pools: {render: {graceSeconds: 200}}", "pools.render.graceSeconds is 200, but soft shutdown and one batch take 240"),
        ("pools: {plan: {graceSeconds: 462}}", "give more, or 0 to have it worked out"),
        ("pools: {finish: {spot: true}}", "pools.finish.spot: a node is gone within 25 s"),
        ("pools: {infer-gpu: {concurrency: 5}}", "pools.infer-gpu.concurrency must be at most 4 with a GPU"),
        ("pools: {render: {minReplicas: 60}}", "pools.render.minReplicas is more than its maxReplicas"),
        ("pools: {api: {queues: [infer]}}", "pools.api: another component has this name"),
        ("poller: {queueUrl: 'https://sqs.example/1/up'}", "poller.queueUrl needs settings.watch"),
        ("pools: {plan: {enabled: false}}", "no pool that is enabled takes the queue plan"),
        ("pools: {finish: {queues: [stitch]}}", "no pool that is enabled takes the queue publish"),
    ],
)  # fmt: skip
def test_values_that_do_not_fit_each_other_are_refused(given: str, said: str):
    with pytest.raises(helm_python.HelmRenderError) as refused:
        render(given)
    assert said in str(refused.value)


@pytest.mark.parametrize(
    "given",
    [
        "settings: {retention_days: 0.5, model_batch: 8, watch: 's3://a/b/,s3://c/'}",
        "settings: {watch_options: '{\"quality\": \"best\"}', s3_endpoint: 'http://minio.example:9000'}",
        "common: {resources: {limits: {cpu: 2, memory: 2Gi, ephemeral-storage: 10Gi}}}",
        "podDisruptionBudget: {maxUnavailable: 100%}",
        "podDisruptionBudget: {maxUnavailable: 2}",
        "pools: {infer-gpu: {enabled: true, gpu: nvidia.com/gpu.shared}}",
        "pools: {render: {spot: true, settings: {soft_shutdown_s: 20}}}",
        "pools: {render: {graceSeconds: 241}}",
        "image: {repository: 'r.example:5000/team/posefleet', tag: 0.2.0-rc1}",
        "redis: {tryOut: {image: 'valkey/valkey@sha256:0123'}}",
        "api: {ingress: {enabled: true, host: a.example, tlsSecret: tls}}",
    ],
)
def test_values_that_make_sense_are_taken(given: str):
    assert render(given).documents
