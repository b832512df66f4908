internal import LinuxIO
internal import Routing

/// What made a request admissible, for as long as what it opened lasts.
struct Admission {
    /// The session that is being served.
    var session: SessionRoute?
    /// What admitted the request, if it was not the owner who asked.
    var grant: Grant?
    /// What is asked about again; nil if nothing is.
    var signIn: SignIn?
    var signInDue = Deadline.never
    var signInQuestion: SignInQuestion?
    /// Whether what is being carried must end: whoever it is for may no longer have it.
    var isCutOff = false
}

/// Something that a connection carries because a request was admitted.
protocol Admitted: AnyObject {
    var worker: Worker { get }
    var requestID: RequestID { get }
    var admission: Admission { get set }
}
