internal import Glibc

/// What the kernel knows about this process, under the names that Prometheus's own libraries use.
struct ProcessMetrics {
    var cpuSeconds = 0.0
    var residentBytes = 0
    var virtualBytes = 0
    var openDescriptors = 0
    var maximumDescriptors = 0
    var startTime = 0.0

    /// Reads /proc/self; what cannot be read stays 0.
    init() {
        let tick = Double(sysconf(Int32(_SC_CLK_TCK)))
        // The second field is the program's name in parentheses and may hold anything.
        let stat = Self.read("/proc/self/stat")
        let fields = stat[(stat.lastIndex(of: ")").map(stat.index(after:)) ?? stat.startIndex)...].split(separator: " ")
        if fields.count > 21 {
            virtualBytes = Int(fields[20]) ?? 0
            residentBytes = (Int(fields[21]) ?? 0) * sysconf(Int32(_SC_PAGESIZE))
            // Both clocks start at boot; the difference is the process's age.
            var boot = timespec()
            var now = timespec()
            clock_gettime(CLOCK_BOOTTIME, &boot)
            clock_gettime(CLOCK_REALTIME, &now)
            let age = Self.seconds(boot) - (Double(fields[19]) ?? 0) / tick
            startTime = ((Self.seconds(now) - age) * 100).rounded() / 100
        }
        // Finer than the ticks of /proc/self/stat.
        var usage = rusage()
        if getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage) == 0 {
            cpuSeconds = Self.seconds(usage.ru_utime) + Self.seconds(usage.ru_stime)
        }
        if let folder = opendir("/proc/self/fd") {
            while readdir(folder) != nil { openDescriptors += 1 }
            closedir(folder)
            // `.`, `..` and the descriptor of the folder itself.
            openDescriptors -= 3
        }
        var limit = rlimit()
        if getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 {
            maximumDescriptors = Int(clamping: limit.rlim_cur)
        }
    }

    private static func seconds(_ time: timespec) -> Double { Double(time.tv_sec) + Double(time.tv_nsec) / 1e9 }

    private static func seconds(_ time: timeval) -> Double { Double(time.tv_sec) + Double(time.tv_usec) / 1e6 }

    private static func read(_ path: String) -> String {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return "" }
        defer { close(descriptor) }
        return String(unsafeUninitializedCapacity: 4096) { buffer in
            max(0, Glibc.read(descriptor, buffer.baseAddress, buffer.count))
        }
    }
}

extension Exposition {
    /// The standard process_* metrics.
    mutating func process(_ process: ProcessMetrics) {
        family("process_cpu_seconds", .counter, "User and system CPU time spent.")
        counter("process_cpu_seconds", [], "\(process.cpuSeconds)")
        gauge("process_resident_memory_bytes", help: "Resident memory.", "\(process.residentBytes)")
        gauge("process_virtual_memory_bytes", help: "Virtual memory.", "\(process.virtualBytes)")
        gauge("process_open_fds", help: "Open file descriptors.", "\(process.openDescriptors)")
        gauge("process_max_fds", help: "Most file descriptors that may be open.", "\(process.maximumDescriptors)")
        gauge(
            "process_start_time_seconds", help: "When the process started, in seconds since 1970.",
            "\(process.startTime)")
    }
}
