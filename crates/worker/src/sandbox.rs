//! What the kernel takes from this process before it sees a query. Each part says what is in force; the evidence keeps
//! it.

use std::collections::BTreeMap;

use ambit_protocol::WorkerConfig;
use landlock::{
    ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, NetPort, Ruleset, RulesetAttr, RulesetCreatedAttr,
    RulesetStatus, path_beneath_rules,
};
use rlimit::Resource;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule, TargetArch,
};

const ENFORCED: &str = "enforced";
const PARTIAL: &str = "partial";
const UNAVAILABLE: &str = "unavailable";

/// Sockets, spill and source files of many sessions.
const OPEN_FILES_MAX: u64 = 8_192;

/// What looking up the name of a server reads.
const RESOLVER_FILES: [&str; 5] = [
    "/etc/hosts",
    "/etc/resolv.conf",
    "/etc/nsswitch.conf",
    "/etc/host.conf",
    "/etc/gai.conf",
];

/// Files: store roots for reading, the spill folder for all, nothing else. TCP to the ports of remote stores alone, where the
/// kernel knows how. Applies to this thread and those it starts: call it while there is one.
pub(crate) fn restrict_files(config: &WorkerConfig, ports: &[u16]) -> String {
    let newest = ABI::V5;
    let names: &[&str] = if ports.is_empty() { &[] } else { &RESOLVER_FILES };
    let to = |port: &u16| Ok::<_, landlock::RulesetError>(NetPort::new(*port, AccessNet::ConnectTcp));
    let restrict = || -> Result<RulesetStatus, landlock::RulesetError> {
        let status = Ruleset::default()
            .set_compatibility(CompatLevel::BestEffort)
            .handle_access(AccessFs::from_all(newest))?
            .handle_access(AccessNet::from_all(newest))?
            .create()?
            .add_rules(path_beneath_rules(&config.roots, AccessFs::from_read(newest)))?
            .add_rules(path_beneath_rules(
                config.spill_folder.iter(),
                AccessFs::from_all(newest),
            ))?
            .add_rules(path_beneath_rules(names, AccessFs::from_read(newest)))?
            .add_rules(ports.iter().map(to))?
            .restrict_self()?;
        Ok(status.ruleset)
    };
    match restrict() {
        Ok(RulesetStatus::FullyEnforced) => ENFORCED,
        Ok(RulesetStatus::PartiallyEnforced) => PARTIAL,
        Ok(RulesetStatus::NotEnforced) | Err(_) => UNAVAILABLE,
    }
    .to_string()
}

/// Resource limits, `name=value` of each that is in force.
pub(crate) fn limit(config: &WorkerConfig) -> Vec<String> {
    let wanted = [
        (Resource::CORE, "core", Some(0)),
        (Resource::NOFILE, "nofile", Some(OPEN_FILES_MAX)),
        (Resource::AS, "as", config.address_space_bytes),
    ];
    let mut in_force = Vec::new();
    for (resource, name, value) in wanted {
        let Some(value) = value else { continue };
        let value = resource.get_hard().map_or(value, |hard| value.min(hard));
        if resource.set(value, value).is_ok() {
            in_force.push(format!("{name}={value}"));
        }
    }
    in_force
}

/// System calls that no query needs fail from here on, in every thread. `network`: connections can be made, by IP alone.
pub(crate) fn restrict_calls(network: bool) -> String {
    hide_memory();
    let Ok(arch) = TargetArch::try_from(std::env::consts::ARCH) else {
        return UNAVAILABLE.to_string();
    };
    let refusal = SeccompAction::Errno(libc::EPERM.unsigned_abs());
    let restrict = || -> Result<(), Box<dyn std::error::Error>> {
        let mut rules: BTreeMap<i64, Vec<SeccompRule>> = REFUSED.iter().map(|call| (*call, vec![])).collect();
        if network {
            rules.remove(&libc::SYS_connect);
            rules.insert(libc::SYS_socket, vec![no_internet()?]);
        }
        let filter = SeccompFilter::new(rules, SeccompAction::Allow, refusal, arch)?;
        let program: BpfProgram = filter.try_into()?;
        seccompiler::apply_filter_all_threads(&program)?;
        Ok(())
    };
    if restrict().is_ok() {
        ENFORCED.to_string()
    } else {
        UNAVAILABLE.to_string()
    }
}

/// Sockets that are not of the internet. The C library asks the kernel by netlink which addresses the machine has.
fn no_internet() -> Result<SeccompRule, seccompiler::BackendError> {
    let others = [libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK].map(|family| {
        SeccompCondition::new(
            0,
            SeccompCmpArgLen::Dword,
            SeccompCmpOp::Ne,
            u64::from(family.unsigned_abs()),
        )
    });
    SeccompRule::new(others.into_iter().collect::<Result<_, _>>()?)
}

/// Other processes of the same user cannot attach, and no core is written.
fn hide_memory() {
    #[expect(
        unsafe_code,
        reason = "prctl has no safe wrapper; this option takes integers only and cannot fail harmfully"
    )]
    // SAFETY: PR_SET_DUMPABLE reads no memory of ours.
    unsafe {
        libc::prctl(libc::PR_SET_DUMPABLE, 0, 0, 0, 0);
    }
}

/// The listening socket is bound by now; nothing new is opened, run, traced, mounted or loaded.
const REFUSED: [i64; 32] = [
    libc::SYS_socket,
    libc::SYS_connect,
    libc::SYS_bind,
    libc::SYS_listen,
    libc::SYS_execve,
    libc::SYS_execveat,
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_kcmp,
    libc::SYS_pidfd_getfd,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_fsopen,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_keyctl,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_open_by_handle_at,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_kexec_load,
    libc::SYS_io_uring_setup,
    libc::SYS_reboot,
];
