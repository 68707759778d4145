//! The YAML files of containers/ parse, and the pod keeps to what it promises. That they work is shown by the
//! container tests, for those that can be run without a cluster or a service of somebody else.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

fn containers() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../containers")
}

fn parse(path: &Path) -> Value {
    let text = fs::read_to_string(path).unwrap();
    serde_norway::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn recipe(name: &str) -> Value {
    parse(&containers().join("recipes").join(name))
}

#[test]
fn every_yaml_file_parses() {
    let mut parsed = Vec::new();
    for dir in [containers(), containers().join("recipes")] {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|it| it == "yaml" || it == "yml") {
                assert!(parse(&path).is_object(), "{}", path.display());
                parsed.push(path.file_name().unwrap().to_string_lossy().into_owned());
            }
        }
    }
    for name in [
        "compose.yaml",
        "compose-ipc.yaml",
        "kubernetes.yaml",
        "github-actions.yml",
        "gitlab-socket.yml",
        "gitlab-dind.yml",
    ] {
        assert!(parsed.iter().any(|it| it == name), "{name}");
    }
}

/// The rules of Kubernetes' pod security standard "restricted", which holds all of "baseline".
#[test]
fn the_pod_is_restricted_and_shares_memory() {
    let pod = recipe("kubernetes.yaml");
    assert_eq!((&pod["apiVersion"], &pod["kind"]), (&"v1".into(), &"Pod".into()));
    let spec = &pod["spec"];
    for namespace in ["hostIPC", "hostPID", "hostNetwork"] {
        assert!(spec[namespace].is_null(), "{namespace}");
    }
    let context = &spec["securityContext"];
    assert_eq!(context["runAsNonRoot"], true);
    assert!(context["runAsUser"].as_u64() > Some(0));
    assert_eq!(context["seccompProfile"]["type"], "RuntimeDefault");
    let volume = &spec["volumes"][0];
    assert_eq!(volume["emptyDir"]["medium"], "Memory");
    assert!(volume["emptyDir"]["sizeLimit"].is_string());
    let containers = spec["containers"].as_array().unwrap();
    assert_eq!(containers.len(), 2);
    for container in containers {
        let security = &container["securityContext"];
        assert_eq!(security["allowPrivilegeEscalation"], false);
        assert_eq!(security["readOnlyRootFilesystem"], true);
        assert_eq!(security["capabilities"], serde_json::json!({ "drop": ["ALL"] }));
        let mount = &container["volumeMounts"][0];
        assert_eq!((&mount["name"], &mount["mountPath"]), (&volume["name"], &"/dev/shm".into()));
        assert!(container["resources"]["limits"]["memory"].is_string());
    }
}

/// What makes runs meet or leave things behind is left out of none of them.
#[test]
fn the_ci_jobs_use_a_volume_of_their_own_and_remove_it() {
    let text = |value: &Value| value.to_string();
    let github = recipe("github-actions.yml");
    let job = &github["jobs"]["between-containers"];
    assert!(text(&job["env"]["RINGS"]).contains("github.run_id"), "{job}");
    let last = job["steps"].as_array().unwrap().last().unwrap();
    assert_eq!(last["if"], "always()");
    assert!(text(&last["run"]).contains("docker volume rm"), "{last}");
    let socket = recipe("gitlab-socket.yml");
    assert!(text(&socket["variables"]["RINGS"]).contains("$CI_JOB_ID"));
    assert!(text(&socket[".rings"]["after_script"]).contains("docker volume rm"));
    for job in ["siblings", "pytest"] {
        assert_eq!(socket[job]["extends"], ".rings", "{job}");
    }
    let dind = recipe("gitlab-dind.yml");
    assert!(text(&dind["between-containers"]["services"]).contains("dind"));
    for (file, script) in [
        (&github, job["steps"][2]["run"].clone()),
        (&socket, socket["siblings"]["script"].clone()),
        (&dind, dind["between-containers"]["script"].clone()),
    ] {
        // Both ends are waited for, and both count.
        let script = text(&script);
        for part in ["verify producer", "verify consumer", "produced\\\" = 0", "consumed\\\" = 0"] {
            assert!(script.contains(part), "{part}: {script} {file}");
        }
        assert!(text(file).contains("type=tmpfs"), "not in RAM: {file}");
    }
}
