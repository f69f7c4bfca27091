"""The CI/CD skeleton: pipelines, surfaces, credentials, guardrails, and what was clarified."""

from datetime import timedelta

from .common import at, commit, digest, stamp, weeks

ACTIONS = "https://github.com/example/skeleton/actions"
CATALOG = "https://github.com/example/skeleton"
MONITOR = "https://monitor.example"
STAGES = ["Ruff", "ESLint", "Pytest", "Spectral", "Build", "GHCR Push", "Tag Deploy"]
APPS = {"api": "cloud-run", "ocr-worker": "cloud-run", "portal": "vercel", "mobile": "expo-eas"}


def tell(q):
    credentials(q)
    surfaces(q)
    pipelines(q)
    guardrails(q)
    clarifications(q)


def credentials(q):
    sets = [("github", "GHCR_TOKEN", 90), ("cloud-run", "CLOUD_RUN_DEPLOYER", 60), ("vercel", "VERCEL_DEPLOY", 60), ("supabase", "SUPABASE_ADMIN", 30)]
    for place, (service, key, days) in enumerate(sets):
        for half, environment in enumerate(("staging", "production")):
            name, time = f"{environment}-{service}", at("07-02 08:00", 20 * place + 5 * half)
            users = [app for app, platform in APPS.items() if service in (platform, "supabase")]
            about = {"surface_refs": [f"{app}-{environment}" for app in users]} if users else {
                "pipeline_refs": [f"{app}-production" for app in APPS]}
            # Nobody uses the one that is left from before.
            if name == "staging-github":
                about = {}
            q.report(time, "credential_set.created", name, {
                **about,
                "id": name, "environment": environment, "service": service, "key_name": key, "owner": "platform-engineer",
                "rotation_cadence_days": days,
            }, CATALOG, "ana@example.org")
            q.report(time + timedelta(minutes=1), "credential_set.validated", name, {"outcome": "passed", "validated_by": "ci-bot"}, ACTIONS, "ci-bot")
            change(q, time + timedelta(minutes=2), name, "draft", "active")
    # The others by their cadence, but for Vercel's of staging, of which nobody thinks.
    for time, name in (("08-27 08:00", "staging-cloud-run"), ("08-27 08:30", "production-cloud-run"),
                       ("08-28 08:30", "production-vercel"), ("09-25 08:00", "staging-github"), ("09-25 08:30", "production-github")):
        change(q, at(time), name, "active", "rotating")
        q.report(at(time, 9), "credential_set.verified", name, {"outcome": "passed", "verified_by": "ben@example.org"}, ACTIONS, "ben@example.org")
        change(q, at(time, 11), name, "rotating", "active")
    for number, time in enumerate(weeks("07-28 08:00", days=28)):
        for half, environment in enumerate(("staging", "production")):
            name, start = f"{environment}-supabase", time + timedelta(minutes=30 * half)
            change(q, start, name, "active", "rotating")
            # In September nobody checks the new key of production before it goes to work.
            if (number, environment) != (2, "production"):
                q.report(start + timedelta(minutes=9), "credential_set.verified", name, {"outcome": "passed", "verified_by": "ben@example.org"}, ACTIONS, "ben@example.org")
            change(q, start + timedelta(minutes=11), name, "rotating", "active")
    names = sorted({key for _, key, _ in sets})
    for number, time in enumerate(weeks("07-03 05:00", days=14)):
        q.report(time, "credential_catalog.synced", "docs/credentials.md", {
            "path": "docs/credentials.md",
            "catalog_keys": names, "github_keys": names + (["OLD_TOKEN"] if number == 4 else []), "synced_at": stamp(time),
        }, CATALOG, "ci-bot")


def change(q, time, name, before, after):
    q.report(time, "credential_set.status_changed", name, {"from": before, "to": after}, CATALOG, "ana@example.org")


def surfaces(q):
    for place, (app, platform) in enumerate(APPS.items()):
        for half, environment in enumerate(("staging", "production")):
            name = f"{app}-{environment}"
            service = "vercel" if platform == "vercel" else "cloud-run"
            data = {
                "id": name, "app": app, "environment": environment, "platform": platform,
                "endpoint_url": f"https://{app}.{environment}.example", "health_check": "/healthz", "ready_check": "/readyz",
                "credential_refs": [f"{environment}-{service}", f"{environment}-supabase"],
            }
            if platform == "cloud-run":
                data["concurrency_limit"] = 5
                data["supabase_schema"] = "public"
            q.report(at("07-02 12:00", 4 * place + half), "deployment_surface.created", name, data, CATALOG, "ana@example.org")
    q.report(at("08-19 12:00"), "deployment_surface.updated", "ocr-worker-production", {"concurrency_limit": 12}, CATALOG, "dora@example.org")


def pipelines(q):
    for place, app in enumerate(APPS):
        name = f"{app}-production"
        q.report(at("07-02 14:00", place), "pipeline_definition.created", name, {
            "id": name, "app": app, "environment": "production", "workflow_file": f".github/workflows/{app}.yml",
            "triggers": ["push", "tag"], "stages": STAGES, "approval_required": False, "artifacts": [f"ghcr.io/example/{app}"],
        }, CATALOG, "ana@example.org")
        q.report(at("07-02 15:00", place), "pipeline_definition.approval_toggled", name, {
            "from": False, "approval_required": True, "environment": "production", "reason": "production needs a second pair of eyes",
        }, CATALOG, "cleo@example.org")
    for number, time in enumerate(weeks("07-06 10:00")):
        for place, app in enumerate(APPS):
            start = time + timedelta(minutes=17 * place)
            stages = STAGES if (number, app) != (5, "mobile") else ["Build", "Pytest", "GHCR Push"]
            outcome = "failure" if (number, app) in ((3, "api"), (9, "portal")) else "success"
            q.report(start, "pipeline_run.completed", f"{app}-{number + 1}", {
                "pipeline_id": f"{app}-production", "outcome": outcome, "stages": stages, "commit": commit(f"{app} {number}"),
                "artifacts": [{"name": f"ghcr.io/example/{app}", "digest": "sha256:" + digest(f"{app} {number}")}],
                "completed_at": stamp(start),
            }, ACTIONS, "ci-bot")
    # One approval is taken away by the book, after a review; another simply.
    q.report(at("08-31 09:00"), "governance.review.recorded", "review-2026-08-31", {
        "about_kind": "delivery.pipeline_definition", "about_id": "mobile-production", "outcome": "approved",
        "reviewed_by": "cleo@example.org", "reason": "the stores review it anyway",
    }, CATALOG, "cleo@example.org")
    for time, app in (("08-31 10:00", "mobile"), ("09-04 18:30", "portal")):
        q.report(at(time), "pipeline_definition.approval_toggled", f"{app}-production", {
            "from": True, "approval_required": False, "environment": "production", "reason": "in the way",
        }, CATALOG, "dora@example.org")


def guardrails(q):
    metrics = [("api_p95", 800, "cloud-run-logs", "api-production"), ("ocr_failure_rate", "2%", "sentry", "ocr-worker-production"),
               ("cloud_run_quota", "80%", "cloud-run-logs", "api-production"), ("vercel_build_minutes", 6000, "vercel-analytics", "portal-production")]
    for place, (metric, threshold, source, surface) in enumerate(metrics):
        q.report(at("07-02 17:00", place), "guardrail.defined", metric, {
            "id": metric, "metric_name": metric, "threshold": threshold, "observability_source": source,
            "alert_channel": "line-webhook", "runbook_ref": f"docs/runbooks/{metric}.md", "surface_ref": surface,
        }, MONITOR, "ana@example.org")
    for time, minutes, metric, value in (("07-29 14:10", 35, "api_p95", 1240), ("08-24 06:25", 190, "api_p95", 4100),
                                         ("09-11 22:05", 55, "ocr_failure_rate", "7%")):
        q.report(at(time), "guardrail.breached", metric, {"value": value, "channel": "line-webhook"}, MONITOR)
        q.report(at(time, minutes), "guardrail.recovered", metric, {}, MONITOR)
    q.report(at("08-12 09:00"), "guardrail.threshold_changed", "api_p95", {"from": 800, "to": 900, "reason": "KPI-17: the budget of the third quarter"}, MONITOR, "ana@example.org")
    q.report(at("09-20 09:00"), "guardrail.threshold_changed", "vercel_build_minutes", {"from": 6000, "to": 9000}, MONITOR, "dora@example.org")
    q.report(at("09-12 04:00"), "guardrail.sample_gap", "ocr_failure_rate", {
        "last_sample_at": "2026-09-12T03:20:00Z", "missing": 8,
    }, MONITOR)


def clarifications(q):
    asked = [("07-03 11:00", "Which region does the API run in?", "europe-west1, close to the users.", "deployment"),
             ("07-03 11:20", "How long do database backups stay?", "Thirty days.", "database"),
             ("07-17 11:00", "What is slow enough to wake somebody?", "Twice the budget for ten minutes.", "performance"),
             ("08-14 11:00", "Do we deploy on Fridays?", "Until noon.", "deployment")]
    for number, (time, question, answer, area) in enumerate(asked):
        q.report(at(time), "clarification.recorded", f"clar-{number + 1:03}", {
            "id": f"clar-{number + 1:03}", "question": question, "answer": answer, "session_date": stamp(at(time))[:10],
            "impact_area": area, "surface_refs": ["api-production"] if number == 0 else [],
        }, CATALOG, "ana@example.org")
