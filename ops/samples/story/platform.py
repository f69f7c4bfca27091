"""The cloud platform: environments from nothing to retired, what they are made of, and what befell them."""

from datetime import timedelta

from .common import at, commit, digest, stable_uuid, stamp

TERRAFORM = "https://ci.example/terraform"
ARGO = "urn:argocd:lke-main"
VAULT = "urn:secrets:linode"
GRAFANA = "https://grafana.example"
ALERTS = "https://alertmanager.example"
ACCESS = "https://ci.example/access"
DRIFT = "https://ci.example/drift-detect"
PLATFORM = "https://ci.example/platform"

POOLS = {
    "development": [("118001", "g6-standard-4", 2, 4)],
    "staging": [("118002", "g6-standard-4", 2, 5)],
    "production": [("118003", "g6-standard-8", 3, 9), ("118004", "g6-dedicated-8", 2, 6)],
    "system": [("118005", "g6-standard-8", 2, 3), ("118006", "g1-gpu-rtx6000-1", 1, 1)],
}
PANELS = ["cpu", "memory", "ingress_latency", "pod_restarts", "secret_freshness"]
APPS = {
    "baseline-observability": ("monitoring", 0, True),
    "ingress": ("ingress-nginx", 1, True),
    "sample-service": ("sample", 2, False),
}


def build(q, name, start):
    """An environment from nothing to ready, as Terraform and Argo CD report it."""
    change = "infra#" + str(400 + list(POOLS).index(name))
    quota = {"cpu": "32" if name == "production" else "16", "memory": "64Gi", "pods": 250}
    q.report(start, "environment.created", name, {
        "name": name, "namespace": f"env-{name}", "quota": quota, "status": "provisioning",
        "labels": {"team": "platform", "tier": name},
    }, TERRAFORM, "ana@example.org", cipipeline=change)
    sha = commit(change)
    q.report(start + timedelta(minutes=4), "terraform.validated", f"{name}/{sha[:12]}", {
        "environment": name, "commit": sha, "result": "passed", "modules": ["lke-cluster", "network"],
    }, TERRAFORM, "ci-bot")
    if name == "production":
        rollback_plan(q, start + timedelta(minutes=6), change, "ana@example.org")
    q.report(start + timedelta(minutes=9), "terraform.applied", f"{name}/{sha[:12]}", {
        "environment": name, "commit": sha, "result": "succeeded", "change_id": change,
        "resources": {"added": 31, "changed": 0, "destroyed": 0},
    }, TERRAFORM, "ci-bot")
    for number, (pool, instance, least, most) in enumerate(POOLS[name]):
        q.report(start + timedelta(minutes=11 + number), "node_pool.created", pool, {
            "id": pool, "environment": name, "instance_type": instance, "count": least, "max_count": most,
            "multi_az": name == "production", "multi_az_available": name == "production",
            "labels": {"pool": "gpu" if "gpu" in instance else "general"}, "taints": [],
        }, TERRAFORM, "ci-bot")
    for number, role in enumerate(("platform-engineer", "app-team", "read-only")):
        # One of them ends in September, and nobody takes it back or renews it.
        until = at("09-28 08:00") if (name, role) == ("staging", "read-only") else at("12-31 08:00")
        policy(q, start + timedelta(minutes=20 + number), name, role, until, "ana@example.org")
    bundle = stable_uuid("bundle " + name)
    q.report(start + timedelta(minutes=25), "secrets_bundle.created", bundle, {
        "bundle_id": bundle, "environment": name, "source": "linode-secret-manager", "items": [
            {"name": "api-token", "purpose": "api-token", "rotation_frequency_days": 30},
            {"name": "metrics-writer", "purpose": "metrics", "rotation_frequency_days": 90},
        ],
    }, VAULT, "ana@example.org")
    sync(q, start + timedelta(minutes=27), name)
    q.report(start + timedelta(minutes=31), "dashboard.created", f"env-{name}", {
        "dashboard_uid": f"env-{name}", "environment": name, "panels": PANELS, "alerts": ["NodeNotReady", "HighLatency"],
        "links": [{"kind": "loki", "url": f"https://grafana.example/explore/loki/{name}"},
                  {"kind": "tempo", "url": f"https://grafana.example/explore/tempo/{name}"}],
    }, GRAFANA, "ben@example.org")
    q.report(start + timedelta(minutes=40), "governance.docs.updated", f"docs-dashboard-{name}", {
        "path": "docs/platform/observability-guide.md", "dashboard_uid": f"env-{name}", "revision": commit("guide " + name),
        "summary": "What each panel says.", "updated_by": "ben@example.org",
    }, GRAFANA, "ben@example.org")
    status(q, start + timedelta(minutes=48), name, "provisioning", "ready", **well(sha))


def well(sha):
    """What an environment shows before it is called ready."""
    runs = f"https://ci.example/runs/{sha[:8]}"
    return {
        "terraform_apply_ref": f"{runs}/apply", "terratest_ref": f"{runs}/terratest", "smoke_test_ref": f"{runs}/smoke",
        "argocd_health": "Healthy",
    }


def remedy(run):
    """What was done about it, and the run that checks it."""
    return {"remediation_ref": f"https://ci.example/runs/{run}", "validation_ref": f"https://ci.example/runs/{run}/checks"}


def policy(q, time, environment, role, expiry, actor, **more):
    q.report(time, "access_policy.granted", f"{environment}/{role}", {
        "environment": environment, "role": role,
        "kubeconfig_secret": f"arn:linode:secret:{environment}/kubeconfig-{role}",
        "permissions": [{"groups": ["*"] if role in ("platform-engineer", "break-glass") else ["apps", ""],
                         "verbs": ["get", "list", "watch"] if role == "read-only" else ["*"]}],
        "expiry": stamp(expiry), **more,
    }, ACCESS, actor)


def sync(q, time, environment, rotation=None):
    data = {"environment": environment, "synced_at": stamp(time),
            "objects": ["SealedSecret", "Secret"]}
    if rotation:
        data["rotation_id"] = rotation
    q.report(time, "secrets_bundle.synced", stable_uuid("bundle " + environment), data, VAULT)


def rollback_plan(q, time, change, actor):
    q.report(time, "rollback_plan.recorded", change, {
        "change_id": change, "environment": "production",
        "trigger_condition": ["failed deploy", "alert", "manual decision"], "runbook_ref": "docs/runbooks/infrastructure-rollback.md",
        "steps": ["scripts/infra/rollback.sh --to last-good", "scripts/infra/rollback.sh --verify"],
        "validation": ["cluster_health", "metrics", "secrets", "argocd_sync"],
    }, PLATFORM, actor)


# What goes on, week by week.

def terraform_change(q, time, environment, number, actor, resources):
    """One change to an environment: planned, validated, for production with a way back, applied."""
    change, sha = f"infra#{number}", commit(f"infra#{number}")
    q.report(time, "terraform.validated", f"{environment}/{sha[:12]}", {
        "environment": environment, "commit": sha, "result": "passed", "modules": ["lke-cluster"],
    }, TERRAFORM, "ci-bot")
    if environment == "production":
        rollback_plan(q, time + timedelta(minutes=12), change, actor)
    q.report(time + timedelta(minutes=35), "terraform.applied", f"{environment}/{sha[:12]}", {
        "environment": environment, "commit": sha, "result": "succeeded", "change_id": change,
        "resources": resources,
    }, TERRAFORM, actor)
    return change


def rollout(q, time, app, environment, revision, actor="argocd"):
    namespace, wave, heal = APPS[app]
    subject = f"{namespace}/{app}-{environment}"
    q.report(time, "argo_app.updated", subject, {
        "name": f"{app}-{environment}", "environment": environment, "source_repo": "https://git.example/infra.git",
        "path": f"infra/helm/{app}", "destination_namespace": namespace, "sync_wave": wave,
        "class": "baseline" if heal else "sample",
        "sync_policy": {"automated": heal, "self_heal": heal, "prune": heal}, "revision": revision,
    }, ARGO, actor)
    # Somebody lets every wave of production go, but for one that could not wait.
    if environment == "production" and (app, time.strftime("%m-%d")) != ("sample-service", "09-10"):
        q.report(time + timedelta(minutes=2), "governance.approval.recorded", f"wave-{wave}-{revision[:8]}", {
            "about_kind": "platform.argo_app", "about_id": subject, "environment": environment, "revision": revision,
            "wave": wave, "role": "platform-engineer", "decision": "approved", "approved_by": "ana@example.org",
        }, ARGO, "ana@example.org")
    q.report(time + timedelta(minutes=3), "argo_app.synced", subject, {
        "environment": environment, "revision": revision, "wave": wave, "health": "Healthy", "result": "Synced",
    }, ARGO, actor)


def drift(q, time, environment, summary):
    report = stable_uuid(f"drift {environment} {time}")
    q.report(time, "drift_report.recorded", report, {
        "report_id": report, "environment": environment, "detected_at": stamp(time), "drift_summary": summary,
        "details_path": f"s3://platform-drift/{environment}/{stamp(time)[:10]}.json",
    }, DRIFT, "drift-reader")


def alert(q, time, name, environment, severity, acknowledged_after, resolved_after, actor):
    fingerprint = digest(f"{name} {environment} {time}")[:16]
    q.report(time, "alert.fired", fingerprint, {
        "fingerprint": fingerprint, "alert": name, "environment": environment, "severity": severity,
        "channel": "matrix",
    }, ALERTS)
    q.report(time + timedelta(minutes=acknowledged_after), "alert.acknowledged", fingerprint, {"by": actor}, ALERTS, actor)
    q.report(time + timedelta(minutes=resolved_after), "alert.resolved", fingerprint, {}, ALERTS)
    return fingerprint


def routine(q):
    """Modules, scheduled drift detection, rotations, reviews and rollouts of the whole quarter."""
    q.report(at("07-01 08:00"), "observability_stack.deployed", "lke-main", {
        "cluster": "lke-main", "chart_version": "kube-prometheus-stack-56.3.0", "otel_collectors": 2,
        "dashboards": [f"env-{name}" for name in POOLS],
        "alert_routes": {"NodeNotReady": "pager", "HighLatency": "matrix"}, "overlays": list(POOLS),
    }, ARGO, "ben@example.org")
    releases = [("lke-cluster", "2.3.0", "07-01 07:10"), ("network", "1.8.1", "07-01 07:15"),
                ("observability", "0.9.0", "07-20 10:00"), ("secrets-bootstrap", "1.1.0", "08-04 09:30"),
                ("lke-cluster", "2.4.0", "08-18 13:05"), ("network", "1.9.0", "09-15 11:40")]
    for name, version, time in releases:
        tag = f"modules/{name}/v{version}"
        parsed = {"full_version": tag, "sub_project_path": f"modules/{name}", "semver": f"v{version}",
                  "major": int(version[0]), "minor": int(version[2]), "patch": int(version[4])}
        q.report(at(time, -6), "release.version.created", tag, {**parsed, "commit_sha": commit(tag)}, TERRAFORM, "ana@example.org")
        q.report(at(time, -5), "release.git_tag.created", tag, {
            "tag_name": tag, "tag_type": "version", "sub_project_path": f"modules/{name}", "commit_sha": commit(tag),
            "is_movable": False, "created_at": stamp(at(time, -5)), "version": parsed,
        }, TERRAFORM, "ana@example.org")
        q.report(at(time), "terraform_module.released", f"{name}/{version}", {
            "name": name, "version": version, "doc_ref": f"contracts/terraform-modules.md#{name}", "inputs": {"region": {"type": "string", "default": "eu-central"}},
            "outputs": {"endpoint": "string"}, "git_tag": tag,
            "readme": {"digest": digest(f"{name}{version}"),
                       "usage": True, "inputs": True, "outputs": True},
        }, TERRAFORM, "ana@example.org")
    day = at("07-02 05:00")
    while day < at("10-01 00:00"):
        for number, environment in enumerate(POOLS):
            if environment == "development" and day >= at("09-21 00:00"):
                continue  # retired by then
            summary = {"2026-08-10": "minor", "2026-08-24": "major"}.get(day.strftime("%Y-%m-%d"), "none")
            # One night the plan of staging does not run.
            if (environment, day.strftime("%m-%d")) != ("staging", "08-02"):
                drift(q, day + timedelta(minutes=10 * number), environment, summary if environment == "production" else "none")
            sync(q, day + timedelta(minutes=10 * number + 4), environment)
        day += timedelta(days=1)
    # Every four weeks the token, and in September what the metrics are written with, too. In the end that of development
    # is forgotten, since it is retired soon.
    for round, day in enumerate(("07-28 09:00", "08-25 09:00", "09-22 09:00")):
        for number, environment in enumerate(POOLS):
            if (round, environment) == (2, "development"):
                continue
            rotation, time = f"rot-2026-{round + 7:02}-{environment}", at(day, 20 * number)
            q.report(time, "secrets_bundle.rotated", stable_uuid("bundle " + environment), {
                "environment": environment, "rotation_id": rotation,
                "rotated_items": ["api-token", "metrics-writer"] if round == 2 else ["api-token"],
            }, VAULT, "vault-rotator")
            sync(q, time + timedelta(minutes=6), environment, rotation)
    for number, (environment, role) in enumerate((e, r) for e in POOLS for r in ("platform-engineer", "app-team")):
        q.report(at("09-14 10:00", 7 * number), "access_policy.reviewed", f"{environment}/{role}", {
            "environment": environment, "reviewed_by": "cleo@example.org", "outcome": "kept",
        }, ACCESS, "cleo@example.org")
    for number, day in enumerate(("07-09 12:00", "07-23 12:00", "08-06 12:00", "08-27 12:00", "09-10 12:00", "09-24 12:00")):
        for step, environment in enumerate(("staging", "production")):
            for wave, app in enumerate(APPS):
                rollout(q, at(day, 90 * step + 10 * wave), app, environment, commit(f"rollout {number}"))
    for day in ("07-15 06:00", "08-15 06:00", "09-15 06:00"):
        q.report(at(day), "observability_stack.probed", "lke-main", {
            "cluster": "lke-main", "endpoints": {"/metrics": 200, "/healthz": 200, "/readyz": 200},
        }, GRAFANA)


def changes(q):
    """Planned work on what was built."""
    terraform_change(q, at("07-14 13:00"), "staging", 431, "ana@example.org", {"added": 2, "changed": 1, "destroyed": 0})
    terraform_change(q, at("07-16 13:00"), "production", 433, "ana@example.org", {"added": 2, "changed": 1, "destroyed": 0})
    q.report(at("07-16 13:50"), "node_pool.updated", "118003", {"count": 4, "max_count": 12}, TERRAFORM, "ci-bot")
    q.report(at("08-05 09:00"), "environment.updated", "production", {
        "quota": {"cpu": "48", "memory": "96Gi", "pods": 400},
    }, TERRAFORM, "ana@example.org", cipipeline="infra#447")
    q.report(at("08-06 15:10"), "dashboard.updated", "env-production", {
        "panels": [*PANELS, "error-budget"],
    }, GRAFANA, "ben@example.org")
    q.report(at("08-06 16:40"), "governance.docs.updated", "docs-2026-08-06", {
        "path": "docs/platform/observability-guide.md", "dashboard_uid": "env-production", "revision": commit("guide"),
        "summary": "The panel of the error budget.", "updated_by": "ben@example.org",
    }, GRAFANA, "ben@example.org")
    for number, environment in enumerate(("staging", "production")):
        q.report(at("07-08 16:00", number), "handoff_contract.published", environment, {
            "environment": environment, "version": "1.0.0",
            "kubeconfig_url": f"https://handoff.example/{environment}/kubeconfig",
            "ingress_base_domain": f"{environment}.apps.example", "spec_digest": commit("openapi"),
            "observability_links": [f"https://grafana.example/d/env-{environment}"],
            "deployment_steps": ["request access", "add an Argo application", "open a pull request"],
        }, PLATFORM, "ci-bot")
    q.report(at("07-22 10:30"), "handoff_contract.accessed", "staging", {"team": "checkout"}, PLATFORM, "dora@example.org")
    terraform_change(q, at("09-08 13:00"), "production", 468, "ben@example.org", {"added": 0, "changed": 3, "destroyed": 1})
    q.report(at("09-08 13:45"), "node_pool.removed", "118004", {"reason": "merged into 118003"}, TERRAFORM, "ci-bot")


def incidents(q):
    """What went wrong, and how it ended."""
    # July: staging loses a node, by the book.
    ref = alert(q, at("07-21 02:14"), "NodeNotReady", "staging", "warning", 3, 55, "ben@example.org")
    status(q, at("07-21 02:18"), "staging", "ready", "degraded", "alertmanager", alert_ref=ref)
    status(q, at("07-21 02:40"), "staging", "degraded", "recovering", "ben@example.org", **remedy("7711"))
    status(q, at("07-21 03:05"), "staging", "recovering", "ready", "ci-bot", validation_ref="https://ci.example/runs/7713")
    # August: somebody edits production by hand; the drift is major; the way back fails once.
    ref = alert(q, at("08-24 06:30"), "HighLatency", "production", "critical", 4, 172, "ana@example.org")
    status(q, at("08-24 06:33"), "production", "ready", "degraded", "alertmanager", alert_ref=ref)
    policy(q, at("08-24 06:50"), "production", "break-glass", at("08-24 18:50"), "ana@example.org", incident_ref="INC-208")
    status(q, at("08-24 07:05"), "production", "degraded", "recovering", "ana@example.org", **remedy("8820"))
    # Not in the lifecycle: it fell over again while it recovered.
    status(q, at("08-24 07:41"), "production", "recovering", "degraded", "alertmanager", alert_ref=ref)
    q.report(at("08-24 08:02"), "rollback.executed", "rb-2026-08-24", {
        "change_id": "infra#447", "environment": "production", "result": "succeeded",
        "validation": {"secrets": "passed", "argocd_sync": "passed", "cluster_health": "passed", "metrics": "passed"},
    }, PLATFORM, "ana@example.org")
    status(q, at("08-24 08:10"), "production", "degraded", "recovering", "ana@example.org", **remedy("8826"))
    status(q, at("08-24 09:20"), "production", "recovering", "ready", "ci-bot", validation_ref="https://ci.example/runs/8831")
    q.report(at("08-24 18:30"), "access_policy.revoked", "production/break-glass", {"reason": "INC-208 is over"}, ACCESS, "cleo@example.org")
    # September: a sync fails, and a tired operator marks the environment well without recovering it.
    q.report(at("09-02 09:12"), "secrets_bundle.sync_failed", stable_uuid("bundle system"), {
        "environment": "system", "error": "webhook timed out",
    }, VAULT)
    status(q, at("09-02 09:30"), "system", "ready", "degraded", "alertmanager", alert_ref="a1f3c0de00000001")
    status(q, at("09-02 09:58"), "system", "degraded", "ready", "ben@example.org", evidence_refs=[])
    sync(q, at("09-02 10:01"), "system")


def oddities(q):
    """Facts that the lifecycle does not have. They are recorded all the same, and judged."""
    # Nobody ever created `performance`.
    status(q, at("08-12 14:00"), "performance", "provisioning", "ready", "dora@example.org", evidence_refs=["https://ci.example/runs/8401"])
    # Staging is created a second time by a pipeline that was run twice.
    q.report(at("08-20 10:00"), "environment.created", "staging", {
        "name": "staging", "namespace": "env-staging", "status": "provisioning",
        "quota": {"cpu": "16", "memory": "64Gi", "pods": 250}, "labels": {"team": "platform", "tier": "staging"},
    }, TERRAFORM, "ci-bot", cipipeline="infra#401")
    status(q, at("08-20 10:40"), "staging", "provisioning", "ready", **well(commit("infra#401")))
    # Development is retired, and comes back by an old script a week later.
    status(q, at("09-18 16:00"), "development", "ready", "retired", "cleo@example.org",
             schedule_ref="infra#470", backup_ref="s3://platform-backups/development/2026-09-18",
           backup_at="2026-09-18T14:00:00Z", namespace_deleted_at="2026-09-18T15:50:00Z")
    status(q, at("09-25 03:00"), "development", "retired", "ready", "cron")
    # A report that believes in another past: the state was ready, not degraded.
    status(q, at("09-27 11:00"), "system", "degraded", "recovering", "ben@example.org", evidence_refs=["https://ci.example/runs/9920"])
    status(q, at("09-27 11:30"), "system", "recovering", "ready", "ci-bot", validation_ref="https://ci.example/runs/9921")


def status(q, time, name, before, after, actor="ci-bot", **evidence):
    data = {"from": before, "to": after, **evidence}
    return q.report(time, "environment.status_changed", name, data, PLATFORM, actor)


def tell(q):
    for number, name in enumerate(POOLS):
        build(q, name, at("07-01 09:00", 70 * number))
    routine(q)
    changes(q)
    incidents(q)
    oddities(q)
