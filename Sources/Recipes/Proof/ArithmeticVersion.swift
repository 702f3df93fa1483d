/// Which bytes this program makes of the same data. It is raised whenever a bit of weights, votes or voxels changes,
/// with an entry in CHANGELOG.md and the new digests in `ArithmeticProofTests`, and by nothing else.
///
/// For people only: a worker is judged by the digest of its `ArithmeticProof`, which also sees what no number written
/// by hand can, the compiler, its flags, and the kernels that a process was asked to use.
public enum ArithmeticVersion {
    public static let text = "1"
}
