/// Whose a series is, as its headers say: in the client's own table and page where `--keep-identity` asks for it, and
/// nowhere else. No message has a place for it.
struct DicomIdentity: Codable, Hashable, Sendable {
    var patientName: String
    var patientID: String
    /// As DICOM writes it: "20200102".
    var studyDate: String
    var accessionNumber: String
    var seriesUID: String

    private static let byteCountMax = 256

    /// Foreign text, without what is none.
    var printable: DicomIdentity {
        func shown(_ text: String) -> String { text.printable(most: Self.byteCountMax) }
        return DicomIdentity(
            patientName: shown(patientName), patientID: shown(patientID), studyDate: shown(studyDate),
            accessionNumber: shown(accessionNumber), seriesUID: shown(seriesUID))
    }

    /// Of archive.csv and archive.sqlite.
    static let columns = ["patient_name", "patient_id", "study_date", "accession_number", "series_uid"]

    var cells: [String] { [patientName, patientID, studyDate, accessionNumber, seriesUID] }

    /// On a page: "Mustermann^Erika, 4711, 20200102".
    var title: String { [patientName, patientID, studyDate].filter { !$0.isEmpty }.joined(separator: ", ") }
}
