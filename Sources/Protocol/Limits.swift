/// Every bound of the protocol and of what a coordinator bears from its peers, in one place (docs/SECURITY.md says
/// where those of files and of a worker's own are). A sender that keeps to them always gets its message into one frame:
/// the largest message of each kind that they allow is smaller than `frameBytesMax` (a test adds it up). The one
/// exception is a list of run outputs, which the sender cuts by `MessageCoding.countOfOutputsThatFit`.
public enum Limits {
    // Frames.

    /// "QNTT", the first bytes in either direction.
    public static let magicBytes = 4
    /// Length, type, flags, request id, checksum.
    public static let frameHeaderBytes = 16
    /// A whole frame, header included, until the peer has been welcomed.
    public static let frameBytesMaxBeforeWelcome = 4 << 10
    /// A whole frame, header included.
    public static let frameBytesMax = 1 << 20
    /// From the connection's beginning to the welcome.
    public static let handshakeMilliseconds: UInt64 = 5_000
    /// From a frame's first byte to its last.
    public static let frameMilliseconds: UInt64 = 10_000

    // Connections.

    /// Peers that a coordinator serves at the same moment.
    public static let connectionsMax = 2048
    /// Of these, peers at one address: a lab's workers may all come through one.
    public static let connectionsPerAddressMax = 1536
    /// Peers that have not shown a token yet, and again those that have not been welcomed yet. When one more comes, the
    /// oldest of them goes: an honest one needs milliseconds for both, so the newcomer is the more likely honest one.
    public static let connectionsBeforeWelcomeMax = 256
    /// Of these, peers at one address.
    public static let connectionsBeforeWelcomePerAddressMax = 64
    /// Bytes that may wait for a slow peer; above it nothing more is read from that peer.
    public static let queuedBytesMax = 8 << 20
    /// How long more than `queuedBytesMax` may wait for a peer. An honest one never asks for a quarter of it at once.
    public static let overfullMilliseconds: UInt64 = 10_000
    /// How long a peer may take nothing at all of what waits for it.
    public static let stalledMilliseconds: UInt64 = 30_000
    /// How long a client may say nothing. (A worker has three leases' time.)
    public static let clientSilenceMilliseconds: UInt64 = 600_000
    /// How long the last bytes to a peer that is sent away may take.
    public static let closeMilliseconds: UInt64 = 2_000
    /// Bytes taken from one peer before the others have their turn.
    public static let turnBytesMax = 1 << 20
    /// Lines in the log about peers that were sent away; of more only their number is said.
    public static let rejectionLinesPerSecondMax = 20

    // Requests.

    /// Blob requests that one peer may have open.
    public static let openRequestsMax = 64
    /// Submissions and questions whose answers a peer has not taken yet.
    public static let openQuestionsMax = 8
    /// Coordinators that follow one.
    public static let standbysMax = 4
    /// What one turn may change at a standby, as bytes.
    public static let standbyChangeBytesMax = 1 << 30
    /// Runs that one client watches.
    public static let watchedRunsMax = 16
    /// Frames of one peer before the others have their turn.
    public static let framesPerTurnMax = 256
    /// Uploads that were not what they were said to be, before their peer is sent away.
    public static let blobFaultsMax = 8
    /// Checkpoints and results under leases that are not, or no more, its own, that a peer may state in a minute. An
    /// honest worker says one of each lease that it lost.
    public static let staleResultsMax = 64
    /// Of those of all peers in a minute, how many are written into the audit and the log. All are refused.
    public static let staleResultsRecordedMax = 1024
    /// Blobs that a worker is remembered to have sent: more than it states at once.
    public static let sentBlobsMax = 4 * outputsMax
    /// The audit's entries in one status.
    public static let statusEventsMax = 2_000

    // Votes, before they are unpacked: empty space compresses to nothing.

    /// One file of votes; those on 2^31 voxels that do not compress at all have half as much.
    public static let voteBytesMax = 512 << 20
    /// All votes on one volume, unpacked, in voxels: 2 GiB.
    public static let voteVoxelsMax = 1 << 34
    /// Those of one file.
    public static let voteVoxelsPerFileMax = 1 << 31

    // Blobs.

    /// One piece of a blob in one message.
    public static let blobChunkBytesMax = 256 << 10
    /// One blob: 1 TiB.
    public static let blobBytesMax: UInt64 = 1 << 40

    // Texts, in bytes of UTF-8.

    /// A program's version and build.
    public static let buildBytesMax = 128
    /// A worker's name, "host:pid-9f2c1b04".
    public static let peerNameBytesMax = 128
    public static let deviceBytesMax = 64
    public static let recipeBytesMax = 64
    /// A step's or a plan's name.
    public static let stepLabelBytesMax = 32
    /// A blob's role: "volume", "replica".
    public static let roleBytesMax = 16
    /// A blob's or a volume's name.
    public static let nameBytesMax = 192
    public static let idempotencyKeyBytesMax = 128
    /// What people call a run: the name of a folder.
    public static let runLabelBytesMax = 255
    /// Who submits a run, "user@host".
    public static let submitterBytesMax = 128
    /// A run's configuration, JSON.
    public static let parametersBytesMax = 16 << 10
    /// A progress note.
    public static let noteBytesMax = 128
    /// A refusal's or a surrender's message.
    public static let messageBytesMax = 1 << 10
    /// The figures of one piece of work, JSON.
    public static let reportBytesMax = 64 << 10
    /// The answer to `statusRequest`, JSON.
    public static let statusBytesMax = 1_000_000

    // Lists.

    /// Leases that one worker holds.
    public static let leasesMax = 64
    /// Blobs that one piece of work reads.
    public static let inputsMax = 4096
    /// Blobs that one piece of work makes: a mask before and after growing for the vote and for each replica, and one
    /// more. A run that can be trained can be answered with.
    public static let outputsMax = 2 * (1 + replicasMax) + 1
    /// Iterations whose figures are in one message, and how many figures one has.
    public static let metricsMax = 8_192
    public static let figuresMax = 12
    public static let figureNameBytesMax = 32
    /// Outputs in one answer to `outputsRequest`.
    public static let runOutputsMax = 1024
    /// Replicas of one run.
    public static let replicasMax = 64

    /// Steps of one plan, and what one of them reads.
    public static let stepsMax = 16
    public static let stepInputsMax = 16

    /// Works of one run, in however many manifests its items come: a million volumes with three steps.
    public static let runWorksMax = 3_000_000

    // Manifests: blobs, so not bound to a frame.

    public static let manifestItemsMax = 100_000
    public static let manifestBytesMax = 64 << 20
    /// Blobs of one item: a CT and a mask.
    public static let itemInputsMax = 8
    /// A file's path below the root of a shared file system.
    public static let sharedPathBytesMax = 768
    /// Items in one `collected`, and digests in one `wanted`.
    public static let collectedMax = 4096
    public static let wantedMax = 1024
}
