"""Flux: commits on their way to the cluster, secrets, policies, local clusters, and a hand that should have stayed away."""

from datetime import timedelta

from .common import at, commit, digest, stamp, weeks

FLUX = "urn:flux:home"
GIT = "https://git.example/gitops"
POLICY = "urn:kyverno:home"
KSAIL = "urn:ksail"
RECIPIENT = {name: "age1" + digest(f"recipient {name}")[:58] for name in ("local", "dev", "prod")}


def tell(q):
    environments(q)
    kustomizations(q)
    policies(q)
    secrets(q)
    for number, time in enumerate(weeks("07-06 13:00")):
        reconcile(q, number, time)
    steady(q)
    local(q)
    by_hand(q)


def environments(q):
    for number, name in enumerate(RECIPIENT):
        q.report(at("07-01 12:00", number), "environment_config.updated", name, {
            "environmentName": name, "base": "k8s/bases", "kustomizePatches": [f"k8s/clusters/{name}/patches.yaml"],
            "secretReferences": [f"k8s/clusters/{name}/app.enc.yaml"], "resourceLimits": {"cpu": "4", "memory": "8Gi"},
            "ageRecipients": [RECIPIENT[name]], "rotation_doc_ref": f"docs/rotation/{name}.md",
            "monitors": ["prometheus"], "policies": ["require-limits"],
        }, GIT, "ana@example.org")


def kustomizations(q):
    layers = [("bases", [], "k8s/bases"), ("distribution", ["flux-system/bases"], "k8s/distributions/talos"),
              ("apps", ["flux-system/distribution"], "k8s/clusters/prod")]
    for number, (name, after, path) in enumerate(layers):
        q.report(at("07-01 13:00", number), "kustomization.updated", f"flux-system/{name}", {
            "namespace": "flux-system", "name": name, "source": "flux-system/home", "path": path, "interval": "72h",
            "dependsOn": after, "healthChecks": ["Deployment/ingress/traefik"], "environment": "prod",
        }, GIT, "ana@example.org")


def policies(q):
    rules = [("require-limits", "validation", ["Deployment"], "enforce"), ("no-latest-tag", "validation", ["Deployment"], "warn")]
    for number, (name, kind, targets, mode) in enumerate(rules):
        q.report(at("07-01 14:00", number), "policy_rule.created", name, {
            "ruleName": name, "ruleType": kind, "targetResources": targets, "constraints": {"every": "container"}, "enforcement": mode,
        }, POLICY, "ana@example.org")
    q.report(at("09-12 19:00"), "policy_rule.updated", "require-limits", {"enforcement": "audit"}, POLICY, "dora@example.org")
    q.report(at("09-14 09:00"), "policy_rule.updated", "require-limits", {"enforcement": "enforce"}, POLICY, "ana@example.org")


def secrets(q):
    for number, name in enumerate(RECIPIENT):
        path, time = f"k8s/clusters/{name}/app.enc.yaml", at("07-01 15:00", number)
        q.report(time, "encrypted_secret.committed", path, {
            "path": path, "environment": name, "sops": {"mac": True, "version": "3.9.4"}, "ageRecipients": [RECIPIENT[name]],
            "creationRules": [f"k8s/clusters/{name}/.*\\.enc\\.yaml"], "revision": commit("first"), "cleartext_leaves": [],
            "metadata": {"name": "app", "namespace": "app"}, "used_by": ["apps/v1/Deployment/app/web"],
        }, GIT, "ana@example.org")
        q.report(time + timedelta(minutes=4), "secret.decrypted", path, {"outcome": "success", "revision": commit("first")}, FLUX, "flux")
        q.report(time + timedelta(minutes=5), "secret.mirrored", path, {"namespace": "app", "name": "app", "revision": commit("first")}, FLUX, "flux")
    # One is committed readable, found by the scan, and put right within the hour.
    path = "k8s/clusters/dev/token.yaml"
    q.report(at("08-07 16:00"), "encrypted_secret.committed", path, {
        "path": path, "environment": "dev", "sops": False, "ageRecipients": [], "revision": commit("token"), "cleartext_leaves": ["data.token"],
    }, GIT, "dora@example.org")
    q.report(at("08-07 16:10"), "governance.secret_scan.completed", "scan-gitleaks-token", {
        "tool": "gitleaks", "revision": commit("token"), "findings": 1, "found": [{"rule": "generic-api-key", "path": path}],
    }, GIT, "ci-bot")
    q.report(at("08-07 16:50"), "encrypted_secret.committed", "k8s/clusters/dev/token.enc.yaml", {
        "path": "k8s/clusters/dev/token.enc.yaml", "environment": "dev", "sops": {"mac": True, "version": "3.9.4"},
        "ageRecipients": [RECIPIENT["dev"]], "revision": commit("token encrypted"), "cleartext_leaves": [],
        "used_by": ["apps/v1/Deployment/app/web"],
    }, GIT, "ana@example.org")


def reconcile(q, number, time):
    """One commit from git to the cluster."""
    sha, name = commit(f"gitops {number}"), "flux-system/apps"
    minute = lambda minutes: time + timedelta(minutes=minutes)
    q.report(time, "commit.recorded", sha, {
        "revision": sha, "branch": "main", "tracked": True, "author": "ana@example.org", "paths": ["k8s/clusters/prod/app.yaml"],
    }, GIT, "ana@example.org")
    # One commit is scanned by one scanner alone.
    for tool in ("gitleaks",) if number == 4 else ("gitleaks", "trufflehog"):
        q.report(minute(1), "governance.secret_scan.completed", f"scan-{tool}-{sha[:12]}", {"tool": tool, "revision": sha, "findings": 0}, GIT, "ci-bot")
    q.report(minute(1), "local_validation.completed", f"validation-{sha[:12]}", {"revision": sha, "outcome": "passed", "clusterName": "home-local"}, KSAIL, "ana@example.org")
    q.report(minute(2), "manifest.validated", "apps/v1/Deployment/app/web", {
        "apiVersion": "apps/v1", "kind": "Deployment", "digest": digest(f"web {number}"), "schema": "pass", "revision": sha,
        "metadata": {"name": "web", "namespace": "app", "labels": {"app.kubernetes.io/name": "web", "team": "platform"}},
        "containers": [{"name": "web", "limits": {} if number == 6 else {"cpu": "500m", "memory": "256Mi"}}],
        "path": "k8s/clusters/prod/app.yaml", "environment": "prod", "references": [],
    }, GIT, "ci-bot")
    for place, rule in enumerate(("require-limits", "no-latest-tag")):
        q.report(minute(3 + place), "policy.evaluated", f"{rule}/{sha[:12]}", {
            "rule": rule, "mode": "enforce" if place == 0 else "warn", "outcome": "fail" if (number, place) == (6, 1) else "pass",
            "manifest": "apps/v1/Deployment/app/web", "revision": sha, "applied": True,
        }, POLICY, "kyverno")
    q.report(minute(6), "source.fetched", "flux-system/home", {"revision": sha, "outcome": "success"}, FLUX, "flux")
    q.report(minute(7), "kustomization.built", name, {"revision": sha, "layers": ["base", "distribution", "cluster"], "digest": digest(f"apps {number}")}, FLUX, "flux")
    q.report(minute(8), "kustomization.applied", name, {"revision": sha, "outcome": "success"}, FLUX, "flux")
    failed = number == 8
    q.report(minute(10), "kustomization.reconciled", name, {
        "revision": sha, "reason": "HealthCheckFailed" if failed else "ReconciliationSucceeded",
        "outcome": "failed" if failed else "succeeded", "severity": "error" if failed else "info", "environment": "prod",
    }, FLUX, "flux")


def steady(q):
    """What lies below the applications is reconciled all the same."""
    for number, time in enumerate(weeks("07-06 13:20")):
        sha = commit(f"gitops {number}")
        for place, (name, layers) in enumerate((("bases", ["base"]), ("distribution", ["base", "distribution"]))):
            subject, start = f"flux-system/{name}", time + timedelta(minutes=4 * place)
            q.report(start, "kustomization.built", subject, {"revision": sha, "layers": layers, "digest": digest(f"{name} {number}")}, FLUX, "flux")
            q.report(start + timedelta(minutes=1), "kustomization.applied", subject, {"revision": sha, "outcome": "success"}, FLUX, "flux")
            q.report(start + timedelta(minutes=2), "kustomization.reconciled", subject, {
                "revision": sha, "reason": "ReconciliationSucceeded", "outcome": "succeeded", "severity": "info", "environment": "prod",
            }, FLUX, "flux")


def local(q):
    q.report(at("07-03 16:00"), "cluster_definition.applied", "home-local", {
        "clusterName": "home-local", "kubernetesVersion": "v1.33.2", "nodeConfiguration": {"workers": 2},
        "networkConfiguration": {"cni": "cilium"}, "toolingConfiguration": {"flux": True},
    }, KSAIL, "ana@example.org")
    q.report(at("07-03 16:05"), "flux.bootstrapped", "home-local", {"clusterName": "home-local", "revision": commit("first")}, KSAIL, "ana@example.org")


def by_hand(q):
    q.report(at("09-13 02:40"), "cluster.manual_change_detected", "manual-2026-09-13", {
        "cluster": "home", "object": "apps/v1/Deployment/app/web", "verb": "patch", "actor": "dora@example.org",
        "detected_at": "2026-09-13T02:41:00Z",
    }, "urn:k8s-audit:home", "dora@example.org")
