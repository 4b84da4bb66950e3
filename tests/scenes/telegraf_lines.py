"""Points as Telegraf's plugins name them, by their documented metrics.

Names that queries and answers have their own use for are among them: tags called ``result``, ``table``, ``error``;
measurements, tags and fields with dots, dashes, slashes, spaces, percent signs, brackets and backslashes.
"""

from __future__ import annotations

from dataclasses import dataclass

Value = int | float | str | bool
Tags = tuple[tuple[str, str], ...]
SECOND = 1_000_000_000


@dataclass(frozen=True)
class Point:
    """One point, before it is a line.

    :param tags: sorted by key
    """

    measurement: str
    tags: Tags
    fields: tuple[tuple[str, Value], ...]
    time_ns: int

    def line(self) -> str:
        """The point as line protocol, as Telegraf's own serializer escapes it."""
        head = "".join(f",{_key(name)}={_key(text)}" for name, text in self.tags)
        body = ",".join(f"{_key(name)}={_value(value)}" for name, value in self.fields)
        return f"{_escaped(self.measurement, ', ')}{head} {body} {self.time_ns}"


def _escaped(text: str, specials: str) -> str:
    return "".join("\\" + character if character in specials else character for character in text)


def _key(text: str) -> str:
    return _escaped(text, ",= ")


def _value(value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return f"{value}i"
    return repr(value) if isinstance(value, float) else '"' + _escaped(value, '\\"') + '"'


# (measurement, tags, fields): the same series may come more than once
_RAW: tuple[tuple[str, dict[str, str], dict[str, Value]], ...] = (
    (
        "clickhouse_tables",
        {"table": "visits", "database": "web", "source": "ch1"},
        {"bytes": 4096, "parts": 3, "rows": 120},
    ),
    (
        "clickhouse_tables",
        {"table": "hits v2", "database": "web", "source": "ch1"},
        {"bytes": 9192, "parts": 7, "rows": 90},
    ),
    ("clickhouse_events", {"source": "ch1", "shard_num": "1", "cluster": "east"}, {"query": 10, "merge": 2}),
    (
        "dns_query",
        {
            "domain": "mjasion.pl",
            "rcode": "NOERROR",
            "record_type": "A",
            "result": "success",
            "server": "8.8.8.8",
        },
        {"query_time_ms": 67.2, "rcode_value": 0, "result_code": 0},
    ),
    (
        "dns_query",
        {"domain": "mjasion.pl", "record_type": "A", "result": "timeout", "server": "8.8.8.8"},
        {"query_time_ms": 2000.0, "result_code": 1},
    ),
    (
        "http_response",
        {
            "method": "GET",
            "result": "success",
            "result_type": "success",
            "server": "http://x/?a=b,c",
            "status_code": "200",
        },
        {"response_time": 0.1, "http_response_code": 200, "result_code": 0},
    ),
    (
        "http_response",
        {"method": "GET", "result": "timeout", "result_type": "timeout", "server": "http://x/?a=b,c"},
        {"response_time": 5.0, "result_code": 4, "result_type": "timeout"},
    ),
    ("iptables", {"table": "filter", "chain": "INPUT", "ruleid": "ssh"}, {"pkts": 100, "bytes": 1024}),
    ("iptables", {"table": "nat", "chain": "POST ROUTING", "ruleid": "masq"}, {"pkts": 7, "bytes": 77}),
    (
        "jenkins_job",
        {"name": "build/all", "parents": "apps/release", "port": "8080", "result": "SUCCESS", "source": "ci"},
        {"duration": 2831, "result_code": 0},
    ),
    (
        "jenkins_job",
        {"name": "build/all", "parents": "apps/release", "port": "8080", "result": "FAILURE", "source": "ci"},
        {"duration": 12, "result_code": 1},
    ),
    (
        "net_response",
        {"port": "8086", "protocol": "tcp", "result": "success", "server": "localhost"},
        {"response_time": 0.000092948, "result_code": 0, "result_type": "success", "string_found": False},
    ),
    (
        "net_response",
        {"port": "8080", "protocol": "tcp", "result": "connection_failed", "server": "localhost"},
        {"result_code": 2, "result_type": "connection_failed", "string_found": True},
    ),
    (
        "nftables",
        {"chain": "input", "rule": "icmp", "ruleid": "4", "table": "inet filter"},
        {"bytes": 0, "pkts": 0},
    ),
    ("nftables", {"chain": "output", "rule": "wg", "ruleid": "9", "table": "ip6"}, {"bytes": 75, "pkts": 1}),
    ("nftables", {"chain": "output", "rule": "wg", "ruleid": "9"}, {"bytes": 5, "pkts": 2}),
    (
        "procstat_lookup",
        {"exe": "nginx", "pid_finder": "pgrep", "result": "success"},
        {"pid_count": 4, "result_code": 0, "running": 4},
    ),
    (
        "procstat_lookup",
        {"exe": "java", "pid_finder": "pgrep", "result": "lookup_error"},
        {"pid_count": 0, "result_code": 1, "running": 0},
    ),
    (
        "procstat",
        {"process_name": "[kworker/0:1]", "pid": "1"},
        {"cpu_usage": 0.5, "cmdline": '/bin/x "-a b" C:\\run', "memory_rss": 1740800},
    ),
    (
        "sip",
        {
            "result": "OK",
            "server": "sip.example.com:5060",
            "source": "udp",
            "status_code": "200",
            "transport": "udp",
        },
        {"response_time": 0.023, "result_type": "OK"},
    ),
    (
        "sip",
        {"result": "No Response", "server": "sip.example.com:5060", "source": "udp", "transport": "udp"},
        {"result_type": "No Response", "response_time": 5.0},
    ),
    (
        "prometheus",
        {"result": "success", "url": "http://example.org:9273/metrics"},
        {"response_time": 0.00015, "content_length": 18},
    ),
    (
        "prometheus",
        {"handler": "/api/v2/write", "le": "+Inf", "table": "t", "result": "200"},
        {"http_requests_total": 12.0, "go:gc_duration{quantile}": 3.5},
    ),
    (
        "win_cpu",
        {"instance": "_Total", "objectname": "Processor", "source": "PC-7"},
        {"Percent_Idle_Time": 91.5, "Percent_DPC_Time": 0.25},
    ),
    (
        "win_perf_counters",
        {"instance": "C:", "objectname": "LogicalDisk"},
        {"% Free Space": 58.6, "Avg. Disk Bytes/Read": 4096.5, "Free Megabytes": 99.0},
    ),
    (
        "win_services",
        {"display_name": "Windows Update (wuauserv)", "service_name": "wuauserv"},
        {"startup_mode": 3, "state": 4},
    ),
    (
        "disk",
        {"device": "C:", "fstype": "NTFS", "mode": "rw", "path": "\\C:"},
        {"free": 100, "used_percent": 12.5, "label": "Sys\\Vol"},
    ),
    (
        "disk",
        {"device": "map -hosts", "fstype": "autofs", "mode": "ro", "path": "/net,x=y"},
        {"free": 7, "used_percent": 99.0},
    ),
    (
        "snmp",
        {"agent_host": "10.0.0.1", "ifName": 'Gi0/1 "uplink"', "sysDescr": "Cisco IOS, v15.2(4)"},
        {"ifHCInOctets": 100, "ifAlias": 'to "core", 10G'},
    ),
    (
        "snmp",
        {"agent_host": "10.0.0.1", "ifName": "Vlan#7", "sysDescr": "K\u00f6ln \u2603 \U0001f600"},
        {"ifHCInOctets": 9},
    ),
    (
        "ping",
        {"url": "www.google.com"},
        {"average_response_ms": 23.066, "percent_packet_loss": 0.0, "result_code": 0},
    ),
    (
        "docker_container_cpu",
        {
            "com.docker.compose.service": "web",
            "container_image": "quay.io/x@sha256",
            "cpu": "cpu-total",
            "engine_host": "d 1",
        },
        {"usage_percent": 0.5, "usage_total": 100},
    ),
    (
        "kubernetes_pod_container",
        {"container_name": "proxy", "namespace": "kube-system", "pod_name": "kube-proxy-1"},
        {"cpu_usage_nanocores": 2846, "state": "running"},
    ),
    (
        "kubernetes_pod_volume",
        {"name": "default-token-f7wts", "namespace": "kube-system", "volume_name": "v"},
        {"used_bytes": 8192},
    ),
    (
        "x509_cert",
        {
            "common_name": "*.example.org",
            "issuer_common_name": "R3, Let's Encrypt = CA",
            "san": "a.org,b.org",
            "source": "tcp://example.org:443",
            "verification": "valid",
        },
        {"expiry": 6000, "verification_code": 0, "verification_error": ""},
    ),
    (
        "smart_attribute",
        {
            "device": "sda",
            "fail": "-",
            "flags": "-O-RC-",
            "id": "1",
            "name": "Raw_Read_Error_Rate",
            "serial_no": "S1",
        },
        {"raw_value": 0, "value": 100, "threshold": 0},
    ),
    (
        "mongodb_col_stats",
        {"collection": "foo.bar", "db_name": "local", "hostname": "h:27017", "type": "col_stat"},
        {"count": 2, "size": 5, "ok": 1},
    ),
    (
        "postgresql_table",
        {"table": "public.orders", "db": "shop", "server": "host=db user=x"},
        {"seq_scan": 5, "n_live_tup": 11},
    ),
    (
        "mysql_table_schema",
        {"schema": "shop", "table": "t=1, \u00e4", "server": "db:3306", "engine": "InnoDB"},
        {"rows": 5, "data_length": 16384},
    ),
    (
        "statsd.counter",
        {"metric_type": "counter", "error": "none", "reference": "r1", "_time2": "x"},
        {"value": 3, "time_ms": 1.5},
    ),
    (
        "jolokia.kafka/Topic-In",
        {"topic": "a b", "bucket": "b1", "pipeline": "p1", "tier": "1h", "run_id": "r"},
        {"OneMinuteRate": 1.5},
    ),
    (
        "opcua",
        {"id": "ns=2;s=Temp\u00b0", "name": "temp", "table": "", "result": "Good"},
        {"value": 20.5, "Quality": "OK (0x0)"},
    ),
    (
        "modbus",
        {"name": "m", "slave_id": "1", "type": "holding_register", "v": "tag like a field"},
        {"v": 230.1, "value": 5},
    ),
)


def telegraf_points(start_ns: int, rounds: int = 4, step_ns: int = 600 * SECOND) -> list[Point]:
    """Points of every plugin: one a step for each series; numbers grow by the round, which makes sums tell.

    :param start_ns: time of the first point, nanoseconds since the epoch
    """
    points = []
    for number in range(rounds):
        for place, (measurement, tags, fields) in enumerate(_RAW):
            grown = tuple((name, _grown(value, number)) for name, value in sorted(fields.items()))
            kept = tuple((key, text) for key, text in sorted(tags.items()) if text)
            points.append(Point(measurement, kept, grown, start_ns + number * step_ns + place))
    return points


def _grown(value: Value, number: int) -> Value:
    if isinstance(value, bool):
        return value if number % 2 == 0 else not value
    if isinstance(value, str):
        return value if number % 2 == 0 else value + " again"
    return value + number


def telegraf_lines(start_ns: int, rounds: int = 4, step_ns: int = 600 * SECOND) -> list[str]:
    """The same as line protocol."""
    return [point.line() for point in telegraf_points(start_ns, rounds, step_ns)]


def measurements() -> list[str]:
    """Names of all measurements, each once, in order."""
    return list(dict.fromkeys(measurement for measurement, _, _ in _RAW))
