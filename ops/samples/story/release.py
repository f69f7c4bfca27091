"""The CI pipeline: versions, tags, deployments through their queues, maintenance, rollbacks, reports."""

from datetime import timedelta

from .common import at, commit, digest, stamp, weeks

ACTIONS = "https://github.com/example/shop/actions"
GIT = "https://github.com/example/shop"
CI = "github-actions[bot]"
ENVIRONMENTS = {"staging": False, "production": True, "canary": False}

# Path, version, day it is cut, whether it reaches production.
VERSIONS = [
    ("api", "v1.4.0", "07-08 09:00", True), ("portal", "v3.0.0", "07-10 09:00", True), ("api", "v1.4.1", "07-17 09:00", True),
    ("portal", "v3.1.0", "07-24 09:00", True), ("api", "v1.5.0", "08-05 09:00", True), ("portal", "v3.1.1", "08-13 09:00", True),
    ("api", "v1.5.1", "08-26 09:00", True), ("portal", "v3.2.0", "09-03 09:00", False), ("api", "v1.6.0", "09-16 09:00", True),
    ("portal", "v3.2.1", "09-23 09:00", True),
]


def tell(q):
    configuration(q)
    moved = {}
    for number, (path, semver, time, production) in enumerate(VERSIONS):
        release(q, number, path, semver, at(time), production, moved)
    trouble(q, moved)
    maintenance(q)
    observations(q, moved)


def version(path, semver):
    major, minor, patch = (int(part) for part in semver[1:].split("-")[0].split("."))
    parsed = {"full_version": f"{path}/{semver}", "sub_project_path": path, "semver": semver,
              "major": major, "minor": minor, "patch": patch}
    if "-" in semver:
        parsed["prerelease"] = semver.split("-", 1)[1]
    return parsed


def run_id(name):
    return str(9_000_000_000 + int(digest(name)[:6], 16))


def configuration(q):
    for number, (name, production) in enumerate(ENVIRONMENTS.items()):
        q.report(at("07-01 10:00", number), "environment_config.updated", name, {
            "name": name, "config_path": f"environments/{name}", "secrets_file": f"environments/{name}/secrets.enc",
            "secrets_digest": digest(f"secrets {name}"), "sops": True, "is_production": production,
            "requires_approval": production, "commit_sha": commit("environments"),
        }, GIT, "ana@example.org")
    mappings = {"us-east": {"aws": "us-east-1", "gcp": "us-east1"}, "eu-west": {"aws": "eu-west-1", "gcp": "europe-west1"}}
    for number, (region, mapping) in enumerate(mappings.items()):
        q.report(at("07-01 10:05", number), "region.updated", f"production/{region}", {
            "name": region, "environment": "production", "config_path": f"environments/production/regions/{region}",
            "cloud_mappings": mapping,
        }, GIT, "ana@example.org")


def tag(q, time, name, kind, sha, verb="created", actor=CI, **more):
    q.report(time, f"git_tag.{verb}", name, {
        "tag_name": name, "tag_type": kind, "sub_project_path": name.split("/")[0], "commit_sha": sha,
        "is_movable": kind == "environment", "created_at": stamp(time), **more,
    }, GIT, actor)


def deployment(q, time, path, semver, environment, end="succeeded", queued=True, run="", moves=True, ticket=""):
    """One deployment, by the queue: queued, started, ended. Gives the time of its end."""
    sha = commit(f"{path}/{semver}")
    name = f"deploy-{time.strftime('%Y%m%d-%H%M%S')}-{sha[:6]}"
    data = {
        "deployment_id": name, "version": version(path, semver), "environment": environment, "commit_sha": sha,
        "will_move_env_tag": moves, "workflow_run_id": run or run_id(name), "triggered_by": CI,
    }
    if environment == "production":
        data["region"] = "us-east"
    if ticket:
        data["ticket_ref"] = ticket
    if queued:
        q.report(time, "deployment.queued", name, {**data, "queue_position": 1, "estimated_wait_time": 60}, ACTIONS, CI)
    started = time + timedelta(minutes=1)
    if end == "cancelled":
        q.report(started, "deployment.cancelled", name, {"completed_at": stamp(started), "reason": "a newer one waits"}, ACTIONS, CI)
        return started
    q.report(started, "deployment.started", name, {**data, "started_at": stamp(started), "locked_at": stamp(started)}, ACTIONS, CI)
    ended = started + timedelta(minutes=9)
    q.report(ended, f"deployment.{end}", name, {"completed_at": stamp(ended)}, ACTIONS, CI)
    return ended


def move(q, time, path, environment, sha, moved, actor=CI):
    """The environment tag follows: created the first time, moved after that."""
    name = f"{path}/{environment}"
    old = moved.get(name)
    if old:
        tag(q, time, name, "environment", sha, "moved", actor, environment=environment, old=old, new=sha, updated_at=stamp(time))
    else:
        tag(q, time, name, "environment", sha, environment=environment, actor=actor)
    moved[name] = sha


def report(q, time, run, name, status, parsed, actions):
    q.report(time, "workflow_run.completed", run, {
        "workflow_run_id": run, "workflow_name": name, "status": status, "completed_at": stamp(time),
    }, ACTIONS, CI)
    q.report(time + timedelta(seconds=4), "pipeline_report.generated", run, {
        "workflow_run_id": run, "workflow_name": name, "status": status, "version": parsed,
        "action_links": [{"label": label, "url": f"{ACTIONS}/workflows/{category}.yml", "category": category} for label, category in actions],
        "generated_at": stamp(time + timedelta(seconds=4)),
    }, ACTIONS, CI)


def scans(q, time, sha):
    for number, tool in enumerate(("gitleaks", "trufflehog")):
        name = f"scan-{tool}-{sha[:12]}"
        q.report(time + timedelta(minutes=number), "governance.secret_scan.completed", name, {
            "tool": tool, "revision": sha, "findings": 0,
        }, ACTIONS, CI)


def release(q, number, path, semver, time, production, moved):
    """From a tag to production: scanned, built, staging, approved, production, marked stable."""
    full, sha, run = f"{path}/{semver}", commit(f"{path}/{semver}"), run_id(f"release {path} {semver}")
    scans(q, time, sha)
    q.report(time + timedelta(minutes=3), "version.created", full, {**version(path, semver), "commit_sha": sha}, GIT, CI)
    tag(q, time + timedelta(minutes=4), full, "version", sha, version=version(path, semver))
    ended = deployment(q, time + timedelta(minutes=20), path, semver, "staging", run=run)
    move(q, ended + timedelta(minutes=1), path, "staging", sha, moved)
    report(q, ended + timedelta(minutes=2), run, "Release", "success", version(path, semver),
           [("Promote to production", "deployment"), ("Roll back staging", "rollback")])
    if not production:
        return
    change = f"shop#{800 + number}"
    later = time + timedelta(days=1)
    q.report(later - timedelta(minutes=40), "platform.rollback_plan.recorded", change, {
        "change_id": change, "environment": "production", "trigger_condition": ["failed deploy", "alert"],
        # Of one nobody has written it into the runbook.
        **({} if number == 3 else {"runbook_ref": "docs/runbooks/infrastructure-rollback.md"}),
        "steps": ["scripts/infra/rollback.sh --previous"], "validation": ["secrets", "argocd_sync"],
    }, GIT, "ana@example.org")
    q.report(later - timedelta(minutes=30), "governance.approval.recorded", f"approval-{change.replace('#', '-')}", {
        "about_kind": "release.version", "about_id": full, "change_id": change, "environment": "production",
        "revision": sha, "role": "platform-engineer", "decision": "approved", "approved_by": "cleo@example.org",
    }, GIT, "cleo@example.org")
    # Of one, nobody says what it is for.
    ended = deployment(q, later, path, semver, "production", ticket="" if number == 5 else change)
    move(q, ended + timedelta(minutes=1), path, "production", sha, moved)
    tag(q, later + timedelta(days=2), f"{full}-stable", "state", sha, version=version(path, semver), state="stable")


def trouble(q, moved):
    """What went wrong."""
    # A deployment fails, and the next one is cancelled while it waits.
    q.report(at("09-09 11:00"), "version.created", "api/v1.5.2", {**version("api", "v1.5.2"), "commit_sha": commit("api/v1.5.2")}, GIT, CI)
    tag(q, at("09-09 11:01"), "api/v1.5.2", "version", commit("api/v1.5.2"), version=version("api", "v1.5.2"))
    deployment(q, at("09-09 11:20"), "api", "v1.5.2", "production", end="failed")
    deployment(q, at("09-09 11:25"), "portal", "v3.2.0", "production", end="cancelled")
    tag(q, at("09-10 09:00"), "api/v1.5.2-deprecated", "state", commit("api/v1.5.2"), version=version("api", "v1.5.2"), state="deprecated")
    # Two start at once in the same environment.
    deployment(q, at("09-17 15:00"), "api", "v1.6.0", "canary", moves=False)
    deployment(q, at("09-17 15:03"), "portal", "v3.2.0", "canary", queued=False, moves=False)
    # A commit that was never tagged is deployed, and somebody moves a tag by hand.
    deployment(q, at("09-18 17:00"), "portal", "v3.3.0", "staging", moves=False)
    move(q, at("09-18 17:30"), "portal", "staging", commit("portal/v3.3.0"), moved, actor="dora@example.org")
    # A version tag is moved: that must never happen. An override is recorded for another one, and used.
    tag(q, at("09-19 08:00"), "portal/v3.2.0", "version", commit("portal/v3.2.0 again"), "moved", "dora@example.org",
        version=version("portal", "v3.2.0"), old=commit("portal/v3.2.0"), new=commit("portal/v3.2.0 again"))
    q.report(at("09-24 07:40"), "governance.override.recorded", "override-2026-09-24", {
        "rule": "tag.immutable_moved", "about_kind": "release.git_tag", "about_id": "portal/v3.2.1", "subject": "portal/v3.2.1",
        "reason": "The tag was cut on the wrong branch.", "incident_ref": "INC-219", "scope": "one move",
        "expires_at": "2026-09-24T12:00:00Z",
    }, GIT, "cleo@example.org")
    tag(q, at("09-24 07:55"), "portal/v3.2.1", "version", commit("portal/v3.2.1 right"), "moved", "cleo@example.org",
        version=version("portal", "v3.2.1"), old=commit("portal/v3.2.1"), new=commit("portal/v3.2.1 right"))
    # The new version misbehaves: where to go back to.
    q.report(at("09-18 20:00"), "rollback.target_selected", "rollback-2026-09-18", {
        "current_version": version("api", "v1.6.0"), "target_version": version("api", "v1.5.1"), "environment": "production",
        "selection_criteria": {"prioritize_stable": True, "exclude_deprecated": True, "exclude_unstable": True},
        "candidate_versions": [version("api", semver) for semver in ("v1.5.1", "v1.5.0", "v1.4.1", "v1.4.0")],
        "rejected_versions": [{**version("api", "v1.5.2"), "reason": "deprecated"}],
    }, ACTIONS, "ana@example.org")
    # A suffix form that the tags do not have, and a report without a link.
    tag(q, at("09-21 10:00"), "api/v1.6.0-production", "environment", commit("api/v1.6.0"), environment="production")
    run = run_id("late report")
    q.report(at("09-22 10:00"), "workflow_run.completed", run, {
        "workflow_run_id": run, "workflow_name": "Nightly", "status": "failure", "completed_at": stamp(at("09-22 10:00")),
    }, ACTIONS, CI)
    q.report(at("09-22 10:05"), "pipeline_report.generated", run, {
        "workflow_run_id": run, "workflow_name": "Nightly", "status": "failure", "action_links": [],
        "generated_at": stamp(at("09-22 10:05")),
    }, ACTIONS, CI)


def maintenance(q):
    kinds = ("cleanup", "dependency-update", "security-audit")
    for number, time in enumerate(weeks("07-05 03:00")):
        kind = kinds[number % 3]
        name = f"maint-{time.strftime('%Y%m%d')}-{kind}"
        end = time + timedelta(minutes=7)
        common = {"task_id": name, "task_type": kind, "workflow_run_id": run_id(name), "triggered_by": "schedule"}
        q.report(time, "maintenance_task.started", name, {**common, "started_at": stamp(time)}, ACTIONS, CI)
        failed = (kind, time.month) == ("security-audit", 9)
        q.report(end, f"maintenance_task.{'failed' if failed else 'succeeded'}", name, {
            "completed_at": stamp(end), "result_summary": "two advisories are open" if failed else "nothing to do",
        }, ACTIONS, CI)


def observations(q, moved):
    """A nightly job looks at git: one tag stands elsewhere, since somebody moved it and nobody said so, until they put it back."""
    production = {name: sha for name, sha in moved.items() if name.endswith("/production")}
    for night in ("09-28 02:30", "09-29 02:30"):
        for number, (name, sha) in enumerate(sorted(production.items())):
            strayed = (night, name) == ("09-28 02:30", "portal/production")
            q.report(at(night, number), "governance.observation.recorded", f"git/{name}", {
                "where": "git", "about_kind": "release.git_tag", "about_id": name,
                "revision": commit("somebody else's") if strayed else sha, "observer": "reconcile-nightly",
            }, GIT, CI)
