// Benchmarks' annotations become examples: first records of ScreenSpot-v2's files, a record of ScreenSpot-Pro's form,
// and refs as RefCOCO documents them.
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
    "height": 480, "width": 640}], "annotations": [{"id": 1719310, "image_id": 581857, "category_id": 1, "iscrowd": 0, \
    "area": 5.5, "bbox": [103.93, 299.99, 134.22, 177.42], "segmentation": [[1, 2]]}, \
    {"id": 2, "image_id": 581857, "category_id": 3, "bbox": [0, 0, 10, 20]}], "categories": []}
    """

  // A record of ScreenSpot-Pro's form, with numbers of our own.
  private let pro = """
    [{"img_filename": "vscode_macos/screenshot_1.png", "bbox": [1200, 600, 1260, 640], "instruction": "open the terminal", \
    "instruction_cn": "x", "id": "vscode_macos_0", "application": "vscode", "platform": "macos", \
    "img_size": [3840, 2160], "ui_type": "icon", "group": "Dev"}]
    """

  private func screenSpot(
    _ text: String, form: BoxForm? = nil, size: Annotation.Size? = nil
  ) throws -> [Annotation] {
    try Annotation.screenSpot(Data(text.utf8), name: "in/screenspot_v2.json", form: form, size: { _ in size })
  }

  private func message(_ body: () throws -> Void) throws -> String {
    try #require(#expect(throws: DatasetError.self, performing: body)).description
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

  @Test("ScreenSpot-Pro: boxes are corners, compared with img_size; ids and groups are the record's")
  func readsScreenSpotPro() throws {
    let box = Objects.Box(x1: 1200, y1: 600, x2: 1260, y2: 640)
    #expect(
      try screenSpot(pro) == [
        Annotation(
          id: "vscode_macos_0", image: "vscode_macos/screenshot_1.png", expression: "open the terminal", box: box,
          size: .init(width: 3840, height: 2160),
          groups: [
            "group": "Dev", "application": "vscode", "platform": "macos", "ui_type": "icon", "subset": "Dev icon",
          ])
      ])
    let bare = pro.replacing(
      "\"id\": \"vscode_macos_0\", \"application\": \"vscode\", \"platform\": \"macos\",", with: "")
    #expect(try screenSpot(bare)[0].id == "screenspot_v2-0")
    #expect(try screenSpot(bare)[0].groups == ["group": "Dev", "ui_type": "icon", "subset": "Dev icon"])
    // Both forms in one file, each by its record.
    let both = String(pro.dropLast()) + "," + String(screenSpot.dropFirst())
    #expect(try screenSpot(both).map(\.box.x2) == [1260, 824, 954, 2529])
  }

  @Test("--box says what boxes are, whatever the record")
  func formOfBoxes() throws {
    #expect(
      try screenSpot(pro, form: .xywh)[0].box == Objects.Box(x1: 1200, y1: 600, x2: 2460, y2: 1240))
    let corners = screenSpot.replacing("[223, 78, 601, 593]", with: "[223, 78, 824, 671]")
      .replacing("[910, 78, 44, 34]", with: "[910, 78, 954, 112]")
      .replacing("[2321, 129, 208, 70]", with: "[2321, 129, 2529, 199]")
    #expect(try screenSpot(corners, form: .xyxy).map(\.box) == screenSpot(screenSpot).map(\.box))
  }

  @Test("a box is compared with its image, and the likely convention is named")
  func comparesBoxes() throws {
    let size = Annotation.Size(width: 960, height: 540)
    func said(_ box: String, form: BoxForm? = nil, size: Annotation.Size? = size) throws -> String {
      let record = """
        [{"img_filename": "pc_a.png", "bbox": \(box), "instruction": "close", "data_type": "icon", "data_source": "w"}]
        """
      return try message { _ = try screenSpot(record, form: form, size: size) }
    }
    #expect(try said("[910, 78, 954, 112]").contains("looks like [x1, y1, x2, y2]; give --box xyxy"))
    #expect(try said("[910, 78, 44, 34]", form: .xyxy).contains("looks like [x, y, width, height]; give --box xywh"))
    #expect(try said("[910, 78, 44, 34]", form: .xyxy, size: nil).contains("give --box xywh"))
    #expect(try said("[990, 900, 10, 20]").contains("outside the image of 960 x 540: it looks like thousandths"))
    #expect(try said("[100, 600, 200, 990]", form: .xyxy).contains("looks like thousandths"))
    #expect(try said("[0.1, 0.2, 0.3, 0.4]").contains("looks like shares 0..1"))
    #expect(try said("[0.1, 0.2, 1, 1]", form: .xyxy, size: nil).contains("looks like shares 0..1"))
    #expect(try said("[1900, 78, 44, 34]").contains("is outside the image of 960 x 540; is it of the same image"))
    #expect(try said("[-100, 78, 44, 34]").contains("is outside the image"))
    #expect(try said("[954, 112, 910, 78]", form: .xyxy, size: size).contains("needs x1 < x2 and y1 < y2"))
    #expect(try said("[961, 5, 3, 9]").contains("outside"))
    #expect(
      try message { _ = try screenSpot(pro, size: size) }
        .contains("[0]: says that the image is 3840 x 2160, but it is 960 x 540"))
    #expect(
      try message { _ = try screenSpot(pro.replacing("1260", with: "4260")) }.contains("outside the image of 3840"))
    #expect(try message { _ = try screenSpot(pro.replacing("[3840, 2160]", with: "[3840]")) }.contains("[0].img_size:"))
  }

  @Test("a box may reach beyond its image by 1% of a side or a pixel, and is cut there")
  func tolerance() throws {
    func box(_ numbers: String, _ size: Annotation.Size) throws -> Objects.Box {
      let record = """
        [{"img_filename": "pc_a.png", "bbox": \(numbers), "instruction": "close", "data_type": "icon", "data_source": "w"}]
        """
      return try #require(screenSpot(record, size: size).first).box
    }
    let size = Annotation.Size(width: 1000, height: 50)
    #expect(try box("[900, 40, 110, 11]", size) == Objects.Box(x1: 900, y1: 40, x2: 1000, y2: 50))
    #expect(try box("[-10, -1, 20, 20]", size) == Objects.Box(x1: 0, y1: 0, x2: 10, y2: 19))
    for numbers in ["[900, 40, 110.5, 5]", "[900, 40, 10, 11.5]", "[-10.5, 0, 20, 20]", "[0, -1.5, 20, 20]"] {
      #expect(throws: DatasetError.self) { _ = try box(numbers, size) }
    }
  }

  @Test("RefCOCO: boxes are compared with the sizes of instances.json")
  func comparesRefCOCO() throws {
    #expect(
      try message { _ = try refCOCO(refs, instances.replacing("134.22, 177.42", with: "734.22, 177.42")) }
        .contains("annotations[0]: bbox [103.93, 299.99, 734.22, 177.42] is outside the image of 640 x 480"))
    #expect(try refCOCO(refs, instances).allSatisfy { $0.size == Annotation.Size(width: 640, height: 480) })
    #expect(try refCOCO(refs, instances.replacing("\"height\": 480, ", with: "")).allSatisfy { $0.size == nil })
  }

  @Test("records that are not what is expected are named in this program's words")
  func wrongRecords() throws {
    for (text, expected) in [
      ("{}", "expected a list of records"), ("[[1]]", "[0]: expected an object, found an array"),
      ("[{\"img_filename\": 3}]", "[0].img_filename: expected a string, found an integer"),
      ("[{}]", "[0]: has no \"img_filename\""), ("[{\"a\": 1, \"a\": 2}]", "[0].\"a\": given twice"),
      ("[", "not valid JSON: byte 1"), ("nonsense", "not valid JSON: byte 0"),
    ] {
      let found = try message { _ = try screenSpot(text) }
      #expect(found.contains(expected) && found.hasPrefix("in/screenspot_v2.json:"), "\(found)")
    }
    for (from, to, expected) in [
      ("[910, 78, 44, 34]", "\"910 78 44 34\"", "[1].bbox: expected four numbers, found a string"),
      ("[910, 78, 44, 34]", "[910, \"78\", 44, 34]", "[1].bbox: expected numbers, found a string"),
      ("[910, 78, 44, 34]", "{\"x\": 910}", "[1].bbox: expected four numbers, found an object"),
      ("\"close this window\"", "null", "[1].instruction: expected a string, found null"),
    ] {
      let found = try message { _ = try screenSpot(screenSpot.replacing(from, with: to)) }
      #expect(found.contains(expected), "\(found)")
    }
    for (text, expected) in [
      ("[]", "the document: expected an object"), ("{\"images\": 3, \"annotations\": []}", "images: expected a list"),
      ("{\"images\": [{\"id\": 1.5}], \"annotations\": []}", "images[0].id: expected an integer, found a number"),
    ] {
      let found = try message { _ = try refCOCO(refs, text) }
      #expect(found.contains(expected) && found.hasPrefix("instances.json:"), "\(found)")
    }
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
    let spot = { (from: String, to: String) in
      try message { _ = try screenSpot(screenSpot.replacing(from, with: to)) }
    }
    #expect(
      try spot("[910, 78, 44, 34]", "[910, 78, 44]").contains(
        "[1]: bbox [910, 78, 44] has 3 numbers, needs [x, y, width"))
    #expect(try spot("[910, 78, 44, 34]", "[910, 78, 0, 34]").contains("[1]: bbox [910, 78, 0, 34] needs a width"))
    #expect(try spot("[910, 78, 44, 34]", "[-1, 78, 44, 34]").contains("[1]: bbox [-1, 78, 44, 34] is not in pixels"))
    #expect(try spot("\"pc_ede", "\"tv_ede").contains("begins with none of mobile_, pc_, web_"))
    #expect(try spot("\"instruction\": \"close", "\"inst\": \"close").contains("[1]: has no \"instruction\""))
    #expect(try spot("]", "").contains("not valid JSON"))
    #expect(
      try message { _ = try refCOCO(refs, instances.replacing("\"id\": 2,", with: "\"id\": 3,")) }
        .contains("ref 8: instances.json has no annotation 2 with an image"))
    #expect(
      try message { _ = try refCOCO(refs, instances.replacing("[0, 0, 10, 20]", with: "[0, 0, 10, 0]")) }
        .hasPrefix("instances.json: cannot be read: annotations[1]: bbox [0, 0, 10, 0] needs"))
    #expect(
      try message { _ = try refCOCO(refs.replacing("\"sent\": \"car\"", with: "\"sent\": 3"), instances) }
        .hasPrefix("refs.json: cannot be read: [1].sentences[0].sent: expected a string"))
  }
}
