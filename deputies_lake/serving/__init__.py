"""Serving: what readers get. Marts that answer the questions people ask, and files that need no server.

Here belong the marts, one file each, and what is made of them for people. Facts and dimensions belong to `star/`.
"""
