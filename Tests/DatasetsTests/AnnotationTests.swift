// Benchmarks' annotations become examples: first records of ScreenSpot-v2's files, and refs as RefCOCO documents them.
import Foundation
import Testing

@testable import Datasets

@Suite("Annotations of benchmarks")
struct AnnotationTests {
  // The first records of screenspot_{mobile,desktop,web}_v2.json (ScreenSpot-v2, Apache-2.0).
  private let screenSpot = """
    [{"img_filename": "mobile_1ca5b944-293a-46a1-af95-eb35bc8a0b2a.png", "bbox": [223, 78, 601, 593], \
    "instruction": "check the weather", "data_type": "icon", "data_source": "ios"},
    {"img_filename": "pc_ede36f9b-1154-4f76-b7f8-c15d7d3f9b6e.png", "bbox": [910, 78, 44, 34], \
    "instruction": "close this window", "data_type": "icon", "data_source": "windows"},
    {"img_filename": "web_213f816e-8e80-4d13-970d-1347bbc7a2a8.png", "bbox": [2321, 129, 208, 70], \
    "instruction": "click the button to create a new project", "data_type": "text", "data_source": "gitlab"}]
    """

  // The form of refs(unc).p and instances.json that lichengunc/refer documents, with numbers of our own.
  private let refs = """
    [{"ref_id": 7, "ann_id": 1719310, "image_id": 581857, "category_id": 1, "file_name": \
    "COCO_train2014_000000581857_16.jpg", "split": "testA", "sent_ids": [20, 21], "sentences": \
    [{"tokens": ["left", "man"], "raw": "Left man!", "sent_id": 20, "sent": "left man"}, \
    {"tokens": ["in", "red"], "raw": "in red", "sent_id": 21, "sent": "in red"}]},
    {"ref_id": 8, "ann_id": 2, "image_id": 581857, "category_id": 3, "file_name": \
    "COCO_train2014_000000581857_2.jpg", "split": "val", "sent_ids": [22], "sentences": \
    [{"tokens": ["car"], "raw": "car", "sent_id": 22, "sent": "car"}]}]
    """
  private let instances = """
    {"info": {}, "licenses": [], "images": [{"id": 581857, "file_name": "COCO_train2014_000000581857.jpg", \
    "height": 427, "width": 640}], "annotations": [{"id": 1719310, "image_id": 581857, "category_id": 1, "iscrowd": 0, \
    "area": 5.5, "bbox": [103.93, 299.99, 134.22, 177.42], "segmentation": [[1, 2]]}, \
    {"id": 2, "image_id": 581857, "category_id": 3, "bbox": [0, 0, 10, 20]}], "categories": []}
    """

  private func screenSpot(_ text: String) throws -> [Annotation] {
    try Annotation.screenSpot(Data(text.utf8), name: "in/screenspot_v2.json")
  }

  private func refCOCO(_ refs: String, _ instances: String, split: String? = nil) throws -> [Annotation] {
    try Annotation.refCOCO(
      refs: Data(refs.utf8), name: "refs.json", instances: Data(instances.utf8), instancesName: "instances.json",
      split: split)
  }

  @Test("ScreenSpot: width and height become corners; platform and kind become groups")
  func readsScreenSpot() throws {
    let found = try screenSpot(screenSpot)
    #expect(found.map(\.id) == ["screenspot_v2-0", "screenspot_v2-1", "screenspot_v2-2"])
    #expect(
      found[2]
        == Annotation(
          id: "screenspot_v2-2", image: "web_213f816e-8e80-4d13-970d-1347bbc7a2a8.png",
          expression: "click the button to create a new project",
          box: Objects.Box(x1: 2321, y1: 129, x2: 2529, y2: 199),
          groups: ["data_type": "text", "data_source": "gitlab", "platform": "web", "subset": "web text"]))
    #expect(found.map { $0.groups["subset"] } == ["mobile icon", "desktop icon", "web text"])
  }

  @Test("RefCOCO: a question a sentence, the image and box of the instances, one split or all")
  func readsRefCOCO() throws {
    let found = try refCOCO(refs, instances, split: "testA")
    #expect(found.map(\.id) == ["refs-7-20", "refs-7-21"] && found.map(\.expression) == ["left man", "in red"])
    #expect(found.allSatisfy { $0.image == "COCO_train2014_000000581857.jpg" && $0.groups == ["split": "testA"] })
    #expect(found[0].box == Objects.Box(x1: 103.93, y1: 299.99, x2: 103.93 + 134.22, y2: 299.99 + 177.42))
    #expect(try refCOCO(refs, instances).map(\.expression) == ["left man", "in red", "car"])
  }

  @Test("an annotation's line is read back as an example whose answer is filled in from the box")
  func lines() throws {
    for (answer, placeholder) in [(Annotation.Answer.point, "<point>"), (.box, "<bbox>")] {
      let line = try screenSpot(screenSpot)[1].line(prompt: "Where to {}?", answer: answer)
      let example = try #require(read(String(decoding: line, as: UTF8.self)).examples.first)
      #expect(example.id == "screenspot_v2-1")
      #expect(example.images == [.file("/images/pc_ede36f9b-1154-4f76-b7f8-c15d7d3f9b6e.png")])
      #expect(
        example.messages == [
          Message(role: .user, content: [.image(0), .text("Where to close this window?")]),
          Message(role: .assistant, content: [.text(placeholder)]),
        ])
      #expect(example.objects == Objects(boxes: [Objects.Box(x1: 910, y1: 78, x2: 954, y2: 112)]))
      #expect(example.groups["data_type"] == "icon" && example.groups["platform"] == "desktop")
    }
  }

  @Test("what is wrong is named by file and record")
  func refuses() throws {
    func message(_ body: () throws -> Void) throws -> String {
      try #require(#expect(throws: DatasetError.self, performing: body)).description
    }
    let spot = { (from: String, to: String) in
      try message { _ = try screenSpot(screenSpot.replacing(from, with: to)) }
    }
    #expect(try spot("[910, 78, 44, 34]", "[910, 78, 44]").contains("[1]: bbox [910.0, 78.0, 44.0] needs x, y, width"))
    #expect(try spot("[910, 78, 44, 34]", "[910, 78, 0, 34]").contains("[1]: bbox"))
    #expect(try spot("[910, 78, 44, 34]", "[-1, 78, 44, 34]").contains("[1]: bbox"))
    #expect(try spot("\"pc_ede", "\"tv_ede").contains("begins with none of mobile_, pc_, web_"))
    #expect(try spot("\"instruction\": \"close", "\"inst\": \"close").contains("[1]: has no \"instruction\""))
    #expect(try spot("]", "").contains("not valid JSON"))
    #expect(
      try message { _ = try refCOCO(refs, instances.replacing("\"id\": 2,", with: "\"id\": 3,")) }
        .contains("ref 8: instances.json has no annotation 2 with an image"))
    #expect(
      try message { _ = try refCOCO(refs, instances.replacing("[0, 0, 10, 20]", with: "[0, 0, 10, 0]")) }
        .hasPrefix("instances.json: cannot be read: annotation 2: bbox"))
    #expect(
      try message { _ = try refCOCO(refs.replacing("\"sent\": \"car\"", with: "\"sent\": 3"), instances) }
        .hasPrefix("refs.json: cannot be read: [1].sentences[0].sent"))
  }
}
