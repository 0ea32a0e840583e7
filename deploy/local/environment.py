"""How a server is told to use a stack: the environment variables of its options."""

from deploy.local.plan import Plan

ACCOUNT = "groundswell"  # PostgreSQL's user, password and database


def environment(plan: Plan) -> dict[str, str]:
    """Return the variables, for the engines that the stack has."""
    variables: dict[str, str] = {}
    if kafka := plan.addresses("kafka"):
        variables["GROUNDSWELL_LOG_ENGINE"] = "kafka"
        variables["GROUNDSWELL_KAFKA_SERVERS"] = ",".join(f"{host}:{port}" for host, port in kafka)
        variables["GROUNDSWELL_KAFKA_REPLICATION"] = str(len(kafka))
        variables["GROUNDSWELL_KAFKA_MIN_INSYNC"] = str(plan.min_insync)
    if cassandra := plan.addresses("cassandra"):
        variables["GROUNDSWELL_STORE_ENGINE"] = "cassandra"
        variables["GROUNDSWELL_CASSANDRA_HOSTS"] = ",".join(host for host, _ in cassandra)
        variables["GROUNDSWELL_CASSANDRA_PORT"] = str(cassandra[0][1])
        variables["GROUNDSWELL_CASSANDRA_REPLICATION"] = str(len(cassandra))
    for host, port in plan.addresses("postgresql"):
        variables["GROUNDSWELL_ACCOUNTS_URL"] = (
            f"postgresql://{ACCOUNT}:{ACCOUNT}@{host}:{port}/{ACCOUNT}"
        )
    for host, port in plan.addresses("redis"):
        variables["GROUNDSWELL_CACHE_ENGINE"] = "redis"
        variables["GROUNDSWELL_REDIS_URL"] = f"redis://{host}:{port}/0"
    return variables
