print("imagelora")
