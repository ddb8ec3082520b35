// Answers as models and evaluators write places, and what each is read as.
import Testing

@testable import Evaluation

@Suite("Forms of answers")
struct AnswerFormTests {
  @Test(
    "points",
    arguments: [
      ("(12, 34)", 12, 34), ("[12,34]", 12, 34), ("It's at (7.5,-8).", 7.5, -8), ("(+.5, 5.)", 0.5, 5),
      ("(12,345) and (678,901)", 12, 345), ("(see (3,4))", 3, 4), ("[1] then [2, 3]", 2, 3), ("[1 (2, 3)", 2, 3),
      ("[1, 2, 3] or [4, 5]", 4, 5), ("[[5, 6]]", 5, 6), ("[(5, 6)]", 5, 6), ("[12, 34], [56, 78]", 12, 34),
      ("(12,34),", 12, 34), ("(12,34), (or not)", 12, 34), ("(12,34), (5)", 12, 34),
      // Qwen-VL
      ("<|box_start|>(12,34)<|box_end|>", 12, 34), ("<|point_start|>(12,34)<|point_end|>", 12, 34),
      ("{\"point_2d\": [484, 516], \"label\": \"a\"}", 484, 516), ("{'point_2d': [484, 516]}", 484, 516),
      ("{\"label\": \"(1,2)\", \"point_2d\": [10, 20]}", 10, 20), ("{\"point_2d\": [[10, 20]]}", 10, 20),
      ("{\"point_2d\": [[10, 20], [30, 40]]}", 10, 20), ("{\"point_2d\": [[10, 20], [30, 40], [5, 6]]}", 10, 20),
      ("[{\"point_2d\": [10, 20]}, {\"point_2d\": [30, 40]}]", 10, 20),
      ("{\"point_2d\" : [10, 20], \"bbox_2d\": null}", 10, 20), ("{\"bbox_2d\": [], \"point_2d\": [10, 20]}", 10, 20),
      // The computer_use tool
      ("{\"name\": \"computer_use\", \"arguments\": {\"action\": \"left_click\", \"coordinate\": [10, 20]}}", 10, 20),
      // Molmo
      ("<point x=\"10.5\" y=\"20\">", 10.5, 20), ("<point x=1 y=2 alt='q'>", 1, 2),
      // UI-TARS
      ("<point>20 30</point>", 20, 30), ("<point> 20, 30 </point>", 20, 30), ("<point>(20,30)</point>", 20, 30),
      ("Thought: it.\nAction: click(point='<point>20 30</point>')", 20, 30), ("click(start_box='(10,20)')", 10, 20),
      ("click(start_box='<|box_start|>(10,20)<|box_end|>')", 10, 20),
      ("drag(start_box='(10,20)', end_box='(30,40)')", 10, 20),
      ("drag(start_point='<point>1 2</point>', end_point='<point>3 4</point>')", 1, 2),
      // Calls and objects with names
      ("click(10, 20)", 10, 20), ("pyautogui.click(x=10, y=20)", 10, 20), ("pyautogui.click(x=1, y=2, clicks=2)", 1, 2),
      ("{\"x\": 10, \"y\": 20}", 10, 20), ("{'action': 'click', 'x': 10.5, 'y': 20}", 10.5, 20),
      ("x: 10, y: 20", 10, 20),
    ] as [(String, Double, Double)])
  func points(text: String, x: Double, y: Double) { #expect(Region(parsing: text) == .point(x: x, y: y)) }

  @Test(
    "boxes",
    arguments: [
      ("[1, 2, 3, 4]", [1, 2, 3, 4]), ("(1,2,3,4)", [1, 2, 3, 4]), ("[0.1, 0.2, 0.3, 0.4]", [0.1, 0.2, 0.3, 0.4]),
      ("(-1,2),(3.5,4)", [-1, 2, 3.5, 4]), ("[30, 40, 10, 20]", [30, 40, 10, 20]),
      // Qwen-VL
      ("<|box_start|>(12,345),(678,901)<|box_end|>", [12, 345, 678, 901]),
      ("<|object_ref_start|>a (1)<|object_ref_end|><|box_start|>(12,345),(678,901)<|box_end|>", [12, 345, 678, 901]),
      ("<ref>it</ref><box>(12,345),(678,901)</box>", [12, 345, 678, 901]),
      ("(12,345), (678,901)", [12, 345, 678, 901]),
      ("<|box_start|>(1,2),(3,4)<|box_end|><|box_start|>(5,6),(7,8)<|box_end|>", [1, 2, 3, 4]),
      ("```json\n[\n\t{\"bbox_2d\": [10, 20, 30, 40], \"label\": \"a\"}\n]\n```", [10, 20, 30, 40]),
      ("[{'bbox_2d': [10, 20, 30, 40]}, {'bbox_2d': [1, 2, 3, 4]}]", [10, 20, 30, 40]),
      ("{\"bbox_2d\": [[10, 20, 30, 40]]}", [10, 20, 30, 40]),
      ("{\"bbox_2d\": [[10, 20], [30, 40]]}", [10, 20, 30, 40]),
      ("{\"bbox_2d\": [[10, 20, 30, 40], [1, 2, 3, 4]]}", [10, 20, 30, 40]),
      ("At (5, 5): {\"bbox_2d\": [10, 20, 30, 40]}", [10, 20, 30, 40]),
      // Nested
      ("[[5, 6], [7, 8]]", [5, 6, 7, 8]), ("((5, 6), (7, 8))", [5, 6, 7, 8]), ("[[1, 2, 3, 4]]", [1, 2, 3, 4]),
      ("[[[1, 2, 3, 4]]]", [1, 2, 3, 4]), ("[[1, 2, 3, 4], [5, 6, 7, 8]]", [1, 2, 3, 4]),
      ("[(1,2),(3,4)]", [1, 2, 3, 4]),
      ("[[[1, 2], [3, 4]], [[5, 6], [7, 8]]]", [1, 2, 3, 4]),
      ("<box>[[12, 345, 678, 901]]</box>", [12, 345, 678, 901]),
      // UI-TARS and others
      ("click(start_box='[1, 2, 3, 4]')", [1, 2, 3, 4]), ("<bbox>1 2 3 4</bbox>", [1, 2, 3, 4]),
      ("<box>1, 2, 3, 4</box>", [1, 2, 3, 4]), ("{\"x1\": 1, \"y1\": 2, \"x2\": 3, \"y2\": 4}", [1, 2, 3, 4]),
      ("x1=1, y1=2, x2=3, y2=4", [1, 2, 3, 4]),
      // Polygons: the box around them
      ("(5,1),(9,3),(7,8)", [5, 1, 9, 8]), ("[[5, 1], [9, 3], [7, 8], [2, 4]]", [2, 1, 9, 8]),
      ("<|quad_start|>(5,1),(9,3),(7,8),(2,4)<|quad_end|>", [2, 1, 9, 8]),
      ("[[[5, 1], [9, 3], [7, 8]]]", [5, 1, 9, 8]),
      ("{\"bbox_2d\": [[5, 1], [9, 3], [7, 8]]}", [5, 1, 9, 8]),
    ] as [(String, [Double])])
  func boxes(text: String, box: [Double]) {
    #expect(Region(parsing: text) == .box(x1: box[0], y1: box[1], x2: box[2], y2: box[3]))
  }

  @Test(
    "what is ambiguous, cut off or something else is no place",
    arguments: [
      "", "no", "(1)", "[]", "[[]]", "[1,2,3]", "[1,2,3,4,5]", "[1,2,3,4,5,6]", "[1,2,3,4,5,6,7,8]", "(1;2)", "[a, b]",
      "[1e999,2]", "(-,.)", "[1.2.3, 4]", "(50%, 30%)", "(10px, 20px)", "(1,234, 567)", "\"bbox_2d\"",
      // Pairs and fours, or numbers and lists, mixed
      "[[1, 2], [3, 4, 5, 6]]", "[1, [2, 3]]", "[[1, 2, 3], [4, 5]]", "[[1, 2, 3, 4], [5, 6, 7]]",
      // Cut off
      "(1,2", "[[10, 20], [30,", "[[10, 20], [", "<|box_start|>(12,345),(678", "(12,345),(678,",
      "{\"bbox_2d\": [10, 20, 30",
      "<point>20 30", "<bbox>1 2 3", "<point x=1>", "<point x=\"1 y=2>",
      // Keys without a place
      "{\"bbox_2d\": null}", "{\"bbox_2d\": []} near (3, 4)", "{\"bbox_2d\": {\"x1\": 1}, \"at\": [1, 2]}",
      // Other counts
      "<point>1 2 3</point>", "<bbox>1 2</bbox>", "<box>1 2 3 4 5</box>",
      "<points x1=\"1\" y1=\"2\" x2=\"3\" y2=\"4\">",
      // A corner with a width, and names of other things
      "{\"x\": 1, \"y\": 2, \"width\": 3, \"height\": 4}", "max=1, y=2", "x=1, z=2", "x = y",
    ])
  func noPlace(text: String) { #expect(Region(parsing: text) == nil) }
}
