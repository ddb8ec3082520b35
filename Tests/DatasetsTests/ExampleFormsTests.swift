// The three forms of an example give the same examples; every broken rule has its error.
import Foundation
import Testing

@testable import Datasets

/// Reads lines as a file with bad examples skipped.
func read(_ text: String, root: String = "/images") -> (examples: [Example], problems: [ExampleProblem]) {
  do {
    let set = try ExampleReader(imageRoot: root, policy: .skip).read(Data(text.utf8), name: "rows.jsonl")
    return (set.examples, set.problems)
  } catch DatasetError.empty(_, let problems) {
    return ([], problems)
  } catch {
    Issue.record(error)
    return ([], [])
  }
}

/// The reason why a single line is no example.
func reason(_ line: String) -> String? { read(line).problems.first?.reason }

@Suite("Forms of an example")
struct ExampleFormsTests {
  static let expected = Example(
    id: "a", line: 1, images: [.file("/images/cat.png"), .file("/abs/dog.png")],
    messages: [
      Message(role: .system, content: [.text("Be brief.")]),
      Message(role: .user, content: [.image(0), .text(" and "), .image(1), .text("?")]),
      Message(role: .assistant, content: [.text("A cat, a dog.")]),
    ])

  @Test("messages with images")
  func messages() {
    let line = #"""
      {"id":"a","images":["cat.png","/abs/dog.png"],"messages":[{"role":"system","content":"Be brief."},\#
      {"role":"user","content":"<image> and <image>?"},{"role":"assistant","content":"A cat, a dog."}]}
      """#
    #expect(read(line).examples == [Self.expected])
  }

  @Test("OpenAI content parts: object and string addresses, image parts, file: URLs")
  func parts() {
    let line = #"""
      {"id":"a","messages":[{"role":"system","content":[{"type":"text","text":"Be brief."}]},\#
      {"role":"user","content":[{"type":"image_url","image_url":{"url":"cat.png","detail":"auto"}},\#
      {"type":"text","text":" and "},{"type":"image_url","image_url":"file:///abs/dog.png"},\#
      {"type":"text","text":"?"}]},{"role":"assistant","content":"A cat, a dog."}]}
      """#
    #expect(read(line).examples == [Self.expected])
    let image = line.replacingOccurrences(
      of: #""image_url","image_url":{"url":"cat.png","detail":"auto"}"#,
      with: #""image","image":"cat.png""#)
    #expect(image != line && read(image).examples == [Self.expected])
  }

  @Test("an image part without address stands for the next listed image")
  func bareImagePart() {
    let line = #"""
      {"id":"a","images":["x.png","y.png"],"messages":[{"role":"user","content":[{"type":"image"},\#
      {"type":"image","image":"inline.png"},{"type":"text","text":"<image>"}]}]}
      """#
    let example = read(line).examples.first
    #expect(example?.images == [.file("/images/x.png"), .file("/images/inline.png"), .file("/images/y.png")])
    #expect(example?.messages.first?.content == [.image(0), .image(1), .image(2)])
  }

  @Test("LLaVA conversations, image as string or list")
  func conversations() {
    let line = #"""
      {"id":"a","image":["cat.png","/abs/dog.png"],"conversations":[{"from":"system","value":"Be brief."},\#
      {"from":"human","value":"<image> and <image>?"},{"from":"gpt","value":"A cat, a dog."}]}
      """#
    #expect(read(line).examples == [Self.expected])
    let one = #"{"id":7,"image":"cat.png","conversations":[{"from":"human","value":"<image>\nWhat?"}]}"#
    #expect(read(one).examples.first?.id == "7")
    #expect(read(one).examples.first?.messages.first?.content == [.image(0), .text("\nWhat?")])
  }

  @Test("data: URLs become bytes, file: URLs are percent-decoded")
  func addresses() {
    let line = #"""
      {"id":"a","images":["data:image/png;base64,iVBORw0KGgo=","file:///a%20b.png","FILE://localhost/c.png"],\#
      "messages":[{"role":"user","content":"<image><image><image>"}]}
      """#
    #expect(
      read(line).examples.first?.images == [
        .inline([0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]), .file("/a b.png"), .file("/c.png"),
      ])
  }

  @Test("loss is per message and true where absent")
  func loss() {
    let line = #"""
      {"id":"a","messages":[{"role":"user","content":"u"},{"role":"assistant","content":"a","loss":false},\#
      {"role":"user","content":"u","loss":null},{"role":"assistant","content":"b","loss":true}]}
      """#
    #expect(read(line).examples.first?.messages.map(\.loss) == [true, false, true, true])
  }

  @Test("boxes in pixels, on image 0 where no image is named")
  func objects() {
    let line = #"""
      {"id":"a","images":["x","y"],"messages":[{"role":"user","content":"<image><image>"}],\#
      "objects":{"bbox":[[1,2,3.5,4],[0,0,9,9]],"ref":["cat","dog"],"image_id":[0,1]}}
      """#
    let boxes = [
      Objects.Box(x1: 1, y1: 2, x2: 3.5, y2: 4), Objects.Box(x1: 0, y1: 0, x2: 9, y2: 9, image: 1),
    ]
    #expect(read(line).examples.first?.objects == Objects(boxes: boxes, references: ["cat", "dog"]))
    let other = line.replacingOccurrences(of: "bbox", with: "boxes")
      .replacingOccurrences(of: #","image_id":[0,1]"#, with: "")
    #expect(read(other).examples.first?.objects?.boxes.map(\.image) == [0, 0])
  }

  @Test("groups by key, or one name")
  func groups() {
    func groups(_ json: String) -> [String: String]? {
      read(#"{"id":"a",\#(Self.user)\#(json)}"#).examples.first?.groups
    }
    #expect(groups(#","group":{"task":"t","split":"s"}"#) == ["task": "t", "split": "s"])
    #expect(groups(#","group":"g""#) == ["group": "g"])
    #expect(groups("") == [:] && groups(#","group":{}"#) == [:])
  }

  static let user = #""messages":[{"role":"user","content":"u"}]"#

  @Test(
    "each rule has its reason",
    arguments: [
      (
        #"{"id":"a","images":["x"],"messages":[{"role":"user","content":"<image><image>"}]}"#,
        "the messages have 2 <image> but 1 images are listed; "
          + #"give an image for each, or write \<image> for the text itself"#
      ),
      (
        #"{"id":"a","images":["x","y"],"messages":[{"role":"user","content":"no"}]}"#,
        "the messages have 0 <image> but 2 images are listed; write <image> in a message where each image belongs"
      ),
      (
        #"{"id":"a","messages":[{"role":"tool","content":"u"}]}"#,
        "begins with a tool's turn; the call that it answers must come before"
      ),
      (
        #"{"id":"a","conversations":[{"from":"bot","value":"u"}]}"#,
        #"conversations[0]: unknown from "bot"; use system, user or human, assistant or gpt, tool"#
      ),
      (#"{"id":"a","messages":[]}"#, "has no messages"),
      (#"{"id":"a"}"#, #"has neither "messages" nor "conversations""#),
      (#"{"id":"a","messages":[],"conversations":[]}"#, #"has both "messages" and "conversations"; keep one"#),
      (#"{"id":"a","image":"x","images":["x"],\#(user)}"#, #"has both "images" and "image"; keep one"#),
      (#"{"id":"a","messages":[{"role":"user","content":""}]}"#, "message 0 (user) is empty"),
      (
        #"{"id":"a","messages":[{"role":"user","content":"u"},{"role":"assistant","content":[]}]}"#,
        "message 1 (assistant) is empty"
      ),
      (
        #"{"id":"a","messages":[{"role":"assistant","content":"a"}]}"#,
        "begins with the assistant; a message must come before the answer"
      ),
      (
        #"{"id":"a","messages":[{"role":"user","content":5}]}"#,
        "messages[0].content: expected a text or a list of content parts, found 5"
      ),
      (#"{"id":"a","messages":[{"role":"user"}]}"#, #"messages[0]: has no "content""#),
      (
        #"{"id":"a","messages":[{"role":"user","content":"u","loss":0.5}]}"#,
        "messages[0].loss: 0.5 is not read; a weight of the loss is 0 or 1"
      ),
      (
        #"{"id":"a","messages":[{"role":"user","content":[{"type":"video","video":"v"}]}]}"#,
        "messages[0].content[0].video is not read: only images are supported"
      ),
      (
        #"{"id":"a","messages":[{"role":"user","content":[{"type":"text"}]}]}"#,
        #"messages[0].content[0]: has type text but no "text""#
      ),
      (
        #"{"id":"a","images":["https://h/x.png"],"messages":[{"role":"user","content":"<image>"}]}"#,
        #"image "https://h/x.png" is on a network; download it first and give its path"#
      ),
      (
        #"{"id":"a","images":["s3://h/x.png"],"messages":[{"role":"user","content":"<image>"}]}"#,
        #"image "s3://h/x.png" has an unknown kind of address; give a path, a file:// or a data: URL"#
      ),
      (
        #"{"id":"a","images":["data:image/png;base64,@@"],"messages":[{"role":"user","content":"<image>"}]}"#,
        #"image "data:image/png;base64": its base64 is broken"#
      ),
      (
        #"{"id":"a","images":["data:text/html;base64,AAAA"],"messages":[{"role":"user","content":"<image>"}]}"#,
        #"image "data:text/html;base64": only data:image...;base64 URLs are read"#
      ),
      (
        #"{"id":"a","images":["x\u0000y"],"messages":[{"role":"user","content":"<image>"}]}"#,
        #"image "x\0y": a path cannot hold a zero byte"#
      ),
      (
        #"{"id":"a/b",\#(user)}"#,
        #"id "a/b" holds "/", which separates groups of an HDF5 file; rename it or set data.ids: line"#
      ),
      (#"{"id":".",\#(user)}"#, #"id "." cannot name a group of an HDF5 file; rename it or set data.ids: line"#),
      (#"{"id":"",\#(user)}"#, #"id "" cannot name a group of an HDF5 file; rename it or set data.ids: line"#),
      (#"{"id":"a\u0000b",\#(user)}"#, #"id "a\0b" holds a control character; rename it"#),
      (#"{"id":1.5,\#(user)}"#, "id: expected a text or a whole number, found 1.5"),
      (#"{"id":[1],\#(user)}"#, "id: expected a text or a whole number, found an array"),
      (
        #"{"id":"a",\#(user),"objects":{"bbox":[[1,2,3,4]]}}"#,
        "objects.bbox[0]: image_id 0 is none of the example's 0 images, counted from 0"
      ),
      (
        #"{"id":"a",\#(user),"objects":{"bbox":[[1,2,3,4]],"image_id":[0.5]}}"#,
        "objects.bbox[0]: image_id 0.5 is none of the example's 0 images, counted from 0"
      ),
      (
        #"{"id":"a",\#(user),"group":{"task":""}}"#,
        #"group: "" is empty, longer than 100 bytes or holds a control character"#
      ),
      (
        #"{"id":"a",\#(user),"group":{"task":"a\u001b[2J"}}"#,
        #"group: "a\u{1B}[2J" is empty, longer than 100 bytes or holds a control character"#
      ),
      (#"{"id":"a",\#(user),"group":{"task":1}}"#, #"group."task": expected a text, found 1"#),
      (
        #"{"id":"a",\#(user),"objects":{"bbox":[[1,2,3]]}}"#,
        "objects.bbox[0]: 3 numbers, needs [x1, y1, x2, y2] or [x, y]"
      ),
      (
        #"{"id":"a",\#(user),"objects":{"bbox":[[3,2,3,4]]}}"#,
        "objects.bbox[0]: [3.0, 2.0, 3.0, 4.0] needs x1 < x2 and y1 < y2; a point is [x, y]"
      ),
      (
        #"{"id":"a",\#(user),"objects":{"bbox":[["1",2,3,4]]}}"#,
        "objects.bbox[0]: is not made of numbers that an image can have"
      ),
      (
        #"{"id":"a",\#(user),"objects":{"bbox":[[0,2,1e300,4]]}}"#,
        "objects.bbox[0]: is not made of numbers that an image can have"
      ),
      (
        #"{"id":"a",\#(user),"objects":{"bbox":[[1,2,3,4]],"image_id":[]}}"#,
        "objects: 1 boxes but 0 image_id"
      ),
      (
        #"{"id":"a",\#(user),"objects":{"bbox":[[1,2,3,true]]}}"#,
        "objects.bbox[0]: is not made of numbers that an image can have"
      ),
    ])
  func rules(line: String, expected: String) {
    #expect(reason(line) == expected)
  }

  @Test("an empty system message is kept: it turns the template's default off")
  func emptySystem() {
    let line = #"{"messages":[{"role":"system","content":""},{"role":"user","content":"u"}]}"#
    #expect(read(line).examples.first?.messages.first == Message(role: .system, content: []))
  }
}
