"""The Pi cluster: nodes, the runs that provision them, changes with their evidence, rotations, alert routes."""

from datetime import timedelta

from .common import at, commit, digest, stable_uuid, stamp, weeks

ANSIBLE = "https://ci.example/ansible"
GIT = "https://git.example/homelab"
ROTATE = "urn:rotate:homelab"
ROUTES = "https://git.example/homelab/alerts"

# Number, role, group, rack.
NODES = [
    (1, "server-agent", "servers", "a"), (2, "server-agent", "servers", "b"), (3, "server-agent", "servers", "c"),
    (4, "worker", "workers", "a"), (5, "worker", "workers", "b"), (6, "worker", "workers", "c"),
]
ROLES = {f"pi-{number}": role for number, role, _, _ in NODES}


def tell(q):
    nodes(q)
    runs(q)
    changes(q)
    rotations(q)
    routes(q)


def nodes(q):
    for number, role, group, rack in NODES:
        data = {
            "node_id": f"pi-{number}", "hostname": f"pi-{number}.cluster.example", "role": role,
            "hardware_profile": {"cpu": "4 cores", "ram": "8Gi", "storage": "nvme"},
            "ip_address": f"192.0.2.{10 + number}", "labels": {"topology.example/rack": rack}, "taints": [],
            "ansible_inventory_group": group,
        }
        if role == "server-agent":
            data["etcd_peer_addr"] = f"192.0.2.{10 + number}:2380"
        q.report(at("07-01 06:00", number), "node.registered", f"pi-{number}", data, ANSIBLE, "ben@example.org")
    # A seventh comes in August, with the wrong taint for a worker, which is put right a day later.
    seventh = {
        "node_id": "pi-7", "hostname": "pi-7.cluster.example", "role": "worker", "ip_address": "192.0.2.17",
        "hardware_profile": {"cpu": "4 cores", "ram": "8Gi", "storage": "sd"}, "labels": {"topology.example/rack": "a"},
        "taints": [{"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}],
        "ansible_inventory_group": "workers",
    }
    q.report(at("08-11 07:00"), "node.registered", "pi-7", seventh, ANSIBLE, "ben@example.org")
    q.report(at("08-12 07:30"), "node.updated", "pi-7", {"taints": []}, ANSIBLE, "ben@example.org")
    q.report(at("09-22 12:00"), "node.decommissioned", "pi-7", {"reason": "Its card failed twice."}, ANSIBLE, "ben@example.org")


def run(q, time, trigger, members, minutes, failed="", actor="ben@example.org", incident="", plan=""):
    """One run from its start to its end."""
    name = stable_uuid(f"run {trigger} {members} {time}")
    started = {
        "run_id": name, "trigger_type": trigger, "initiated_by": actor, "ansible_commit": commit(f"playbooks {time}"),
        "diff_artifacts_path": f"artifacts/runs/{stamp(time)[:10]}-{members[0]}",
        "nodes": [{"node_id": node, "role": ROLES.get(node, "worker")} for node in members], "started_at": stamp(time),
    }
    if plan:
        started["remediation_plan_id"] = plan
    q.report(time, "provisioning_run.started", name, started, ANSIBLE, actor)
    end = time + timedelta(minutes=minutes)
    ended = {"completed_at": stamp(end), "duration_minutes": minutes}
    if not failed:
        q.report(end, "provisioning_run.succeeded", name, ended, ANSIBLE, actor)
        return name
    ended["reason"] = failed
    if incident:
        ended["incident_ref"] = incident
    q.report(end, "provisioning_run.failed", name, ended, ANSIBLE, actor)
    return name


def plan(q, time, of_run, summary):
    name = f"plan-{stamp(time)[:10]}"
    q.report(time, "remediation_plan.recorded", name, {
        "run_id": of_run, "summary": summary, "steps": ["check the storage", "flash it again", "rebuild"],
        "recorded_by": "cleo@example.org",
    }, ANSIBLE, "cleo@example.org")
    return name


def runs(q):
    run(q, at("07-01 07:00"), "bootstrap", [f"pi-{number}" for number, *_ in NODES], 52)
    for number, time in enumerate(weeks("07-07 08:00", "08-15 00:00")):
        run(q, time, "rebuild", [f"pi-{number + 1}"], 38 + 3 * number)
    # One fails, is thought through, and is done again.
    failed = run(q, at("08-18 08:00"), "upgrade", ["pi-4", "pi-5"], 31, "pi-5 did not come back", incident="INC-203")
    done = plan(q, at("08-18 11:00"), failed, "The new kernel does not know the disk of pi-5.")
    run(q, at("08-19 08:00"), "upgrade", ["pi-4", "pi-5"], 44, plan=done)
    q.report(at("08-18 09:10"), "governance.incident.linked", "INC-203", {
        "incident_ref": "INC-203", "run_id": failed, "about_kind": "cluster.provisioning_run", "about_id": failed,
        "url": "https://tickets.example/INC-203", "linked_by": "ben@example.org",
    }, ANSIBLE, "ben@example.org")
    # Another fails, and somebody simply tries again.
    run(q, at("09-01 20:00"), "rebuild", ["pi-6"], 12, "the image was not found", actor="dora@example.org")
    run(q, at("09-01 20:30"), "rebuild", ["pi-6"], 47, actor="dora@example.org")
    # A rebuild that works, and takes too long.
    run(q, at("09-08 08:00"), "rebuild", ["pi-2"], 83)
    # One that says that it ended twice.
    twice = run(q, at("09-15 08:00"), "rebuild", ["pi-3"], 41)
    q.report(at("09-15 08:52"), "provisioning_run.failed", twice, {"reason": "a late report"}, ANSIBLE, "ben@example.org")


def change(q, time, title, files, author, approvers, number, steps="dreaAp"):
    """A change to the cluster: drafted, reviewed, evidence taken, approved, applied, as far as `steps` goes."""
    name = stable_uuid(f"change {title}")
    environment = "production"
    if "d" in steps:
        q.report(time, "config_change.drafted", name, {
            "change_id": name, "feature_branch": f"feature/{title.replace(' ', '-')}", "manifest_paths": files,
            "diff_summary": title, "author": author, "ticket_ref": f"homelab#{number}", "environment": environment,
        }, GIT, author)
    if "r" in steps:
        q.report(time + timedelta(hours=1), "config_change.review_requested", name, {"reviewers": approvers}, GIT, author)
    if "a" in steps:
        for place, approver in enumerate(approvers):
            q.report(time + timedelta(hours=2, minutes=11 * place), "config_change.approved", name, {
                "approved_by": approvers[:place + 1], "revision": commit(title),
            }, GIT, approver)
    applied = time + timedelta(hours=26)
    if "e" in steps:
        evidence = stable_uuid(f"evidence {title}")
        q.report(applied - timedelta(minutes=9), "apply_evidence.recorded", evidence, {
            "evidence_id": evidence, "change_id": name, "command": "kubectl diff -k clusters/home",
            "output_path": f"artifacts/changes/{name[:8]}/diff.txt", "digest": digest(title),
            "timestamp": stamp(applied - timedelta(minutes=10)), "operator_id": author,
        }, GIT, author)
    if "A" in steps:
        q.report(applied - timedelta(minutes=30), "platform.rollback_plan.recorded", name, {
            "change_id": name, "environment": environment, "trigger_condition": ["failed deploy", "alert"],
            "runbook_ref": "docs/runbooks/infrastructure-rollback.md",
            "steps": ["scripts/infra/rollback.sh --change " + name[:8]], "validation": ["secrets", "argocd_sync"],
        }, GIT, author)
        q.report(applied, "config_change.applied", name, {
            "applied_at": stamp(applied), "approved_by": approvers if "a" in steps else [],
            "runbook_updates": [f"docs/runbooks/{title.split()[0]}.md"] if "p" in steps else [],
            "diff_artifacts": [f"artifacts/changes/{name[:8]}/diff.txt"] if "e" in steps else [],
        }, GIT, author)
    return name


def changes(q):
    ana, ben, cleo, dora = (f"{name}@example.org" for name in ("ana", "ben", "cleo", "dora"))
    planned = [
        ("07-06 09:00", "ingress class", ["clusters/home/ingress.yaml"], ana, [ben]),
        ("07-20 09:00", "metrics retention", ["clusters/home/metrics.yaml", "clusters/home/storage.yaml"], ben, [ana, cleo]),
        ("08-03 09:00", "registry mirror", ["clusters/home/registry.yaml"], cleo, [ana]),
        ("08-17 09:00", "kernel pin", ["inventory/group_vars/workers.yaml"], ben, [cleo]),
        ("09-07 09:00", "alert thresholds", ["clusters/home/alerts.yaml"], ana, [ben, dora]),
        ("09-21 09:00", "network policies", ["clusters/home/policies.yaml"], dora, [ana]),
    ]
    for number, (time, title, files, author, approvers) in enumerate(planned):
        change(q, at(time), title, files, author, approvers, 100 + number)
    # One that made it worse, and was taken back.
    bad = change(q, at("08-25 13:00"), "dns cache", ["clusters/home/dns.yaml"], dora, [ben], 120)
    q.report(at("08-26 16:10"), "governance.incident.linked", "INC-210", {
        "incident_ref": "INC-210", "change_id": bad, "about_kind": "cluster.config_change", "about_id": bad,
        "url": "https://tickets.example/INC-210", "linked_by": "ben@example.org",
    }, GIT, "ben@example.org")
    q.report(at("08-26 16:20"), "config_change.rolled_back", bad, {
        "incident_ref": "INC-210", "rollback_summary": "Names of the cluster did not resolve for four minutes.",
    }, GIT, dora)
    # One that nobody looked at, applied in the night without evidence.
    change(q, at("09-10 21:00"), "hotfix token lifetime", ["/etc/rancher/k3s/config.yaml"], dora, [], 131, "dA")
    # One that its own author approved.
    change(q, at("09-14 10:00"), "log level", ["clusters/home/logging.yaml"], cleo, [cleo], 133)


def rotations(q):
    scopes = ("kubeconfig", "registry", "alertmanager")
    for month, first in enumerate(("07-10 06:00", "08-10 06:00", "09-10 06:00")):
        for place, scope in enumerate(scopes):
            time = at(first, 90 * place)
            name = stable_uuid(f"rotation {scope} {month}")
            data = {"rotation_id": name, "rotation_scope": scope, "age_key_fingerprint": "SHA256:" + digest(name)[:43]}
            q.report(time - timedelta(days=3), "secret_rotation.scheduled", name, data, ROTATE, "ben@example.org")
            q.report(time, "secret_rotation.started", name, {"initiated_at": stamp(time)}, ROTATE, "ben@example.org")
            if (month, scope) == (2, "alertmanager"):
                continue  # Nobody ever verified this one.
            done = time + timedelta(minutes=25)
            steps = [{"kind": "redeploy", "outcome": "success", "ref": "https://ci.example/runs/" + name[:8]}]
            if (month, scope) == (1, "registry"):
                steps = [{"kind": "login", "outcome": "success"}]
            q.report(done, "secret_rotation.verified", name, {
                "completed_at": stamp(done), "verification_steps": steps, "verified_by": "cleo@example.org",
                "next_rotation_due": stamp(done + timedelta(days=120 if (month, scope) == (0, "registry") else 31)),
            }, ROTATE, "cleo@example.org")


def routes(q):
    alerts = [("NodeNotReady", "critical", "pager"), ("EtcdNoLeader", "critical", "pager"), ("DiskAlmostFull", "warning", "matrix"),
              ("CertificateExpires", "warning", "email"), ("PodCrashLooping", "warning", "matrix")]
    why = stable_uuid("change ingress class")
    for place, (alert, severity, channel) in enumerate(alerts):
        name = stable_uuid(f"route {alert}")
        # Of the last one nobody said which change it belongs to.
        about = {} if alert == "PodCrashLooping" else {"change_id": why}
        q.report(at("07-07 12:00", place), "alert_route.created", name, {
            "route_id": name, "alert_name": alert, "severity": severity, "channel": channel,
            "acknowledgement_target": "homelab-operators", **about,
        }, ROUTES, "ana@example.org")
        # The second critical route is tested in July, and then forgotten.
        tests = list(weeks("07-08 12:00", days=28)) if severity == "critical" else [at("07-08 12:00")]
        for time in tests[:1] if alert == "EtcdNoLeader" else tests:
            q.report(time + timedelta(minutes=place), "alert_route.tested", name, {
                "last_tested_at": stamp(time), "outcome": "delivered", "tested_by": "ben@example.org",
            }, ROUTES, "ben@example.org")
        q.report(at("09-16 12:00", place), "alert_route.reviewed", name, {"reviewed_by": "cleo@example.org", "outcome": "kept"}, ROUTES, "cleo@example.org")
    changed = stable_uuid("change alert thresholds")
    q.report(at("09-09 10:00"), "alert_route.updated", stable_uuid("route DiskAlmostFull"), {
        "severity": "critical", "channel": "pager", "change_id": changed,
    }, ROUTES, "ana@example.org")
    q.report(at("09-09 09:40"), "alert_route.tested", stable_uuid("route DiskAlmostFull"), {
        "last_tested_at": stamp(at("09-09 09:40")), "outcome": "delivered", "tested_by": "ana@example.org",
    }, ROUTES, "ana@example.org")
    q.report(at("09-24 10:00"), "alert_route.archived", stable_uuid("route CertificateExpires"), {
        "reason": "cert-manager renews them",
    }, ROUTES, "ana@example.org")
