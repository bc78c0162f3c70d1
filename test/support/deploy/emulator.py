"""moto's server, and what it lacks in CloudFormation for a release: aliases of functions.

moto knows aliases in Lambda's own API, which this calls. It also publishes a new version before it updates the function in the same
stack, gives no number of a version to a template, and keeps one code for all versions: an alias would name the wrong code.
"""

import sys

from moto.awslambda.exceptions import UnknownFunctionException
from moto.awslambda.models import LambdaFunction, LambdaStorage, LambdaVersion
from moto.awslambda.utils import get_backend
from moto.cloudformation.parsing import ResourceMap, parse_and_update_resource
from moto.core.common_models import CloudFormationModel
from moto.server import main


class Alias(CloudFormationModel):
    __module__ = LambdaVersion.__module__  # moto reads the service from it

    def __init__(self, function_name, name, arn):
        self.function_name = function_name
        self.name = name
        self.arn = arn

    @property
    def physical_resource_id(self):
        return self.arn

    @staticmethod
    def cloudformation_name_type():
        return None

    @staticmethod
    def cloudformation_type():
        return "AWS::Lambda::Alias"

    @classmethod
    def create_from_cloudformation_json(
        cls, resource_name, cloudformation_json, account_id, region_name, **kwargs
    ):
        properties = cloudformation_json["Properties"]
        function_name = properties["FunctionName"]
        backend = get_backend(account_id, region_name)
        alias = backend.create_alias(
            properties["Name"], function_name, properties["FunctionVersion"], "", ""
        )
        return cls(function_name, properties["Name"], alias.arn)

    @classmethod
    def update_from_cloudformation_json(
        cls, original_resource, new_resource_name, cloudformation_json, account_id, region_name
    ):
        version = cloudformation_json["Properties"]["FunctionVersion"]
        get_backend(account_id, region_name).update_alias(
            original_resource.name, original_resource.function_name, version, None, None
        )
        return original_resource

    def delete(self, account_id, region):
        backend = get_backend(account_id, region)
        try:
            backend.delete_alias(self.name, self.function_name)
        except UnknownFunctionException:
            pass  # it is gone with its function


LambdaVersion.has_cfn_attr = classmethod(lambda cls, attribute: attribute == "Version")
LambdaVersion.get_cfn_attribute = lambda self, attribute: str(self.version)
LambdaVersion.physical_resource_id = property(lambda self: str(self.version))

publish = LambdaStorage.publish_version


def publish_with_own_code(self, *arguments, **named):
    version = publish(self, *arguments, **named)
    if version is not None:
        version.code = dict(version.code)  # moto shares it with the function, and so with each later version
    return version


LambdaStorage.publish_version = publish_with_own_code

update = ResourceMap.update


def update_functions_first(self, template, parameters=None):
    for name, resource in template["Resources"].items():
        before = self._resource_json_map.get(name)
        if resource["Type"] != LambdaFunction.cloudformation_type() or before in (None, resource):
            continue
        self._parsed_resources[name] = parse_and_update_resource(
            name, resource, self, account_id=self._account_id, region_name=self._region_name
        )
        self._resource_json_map[name] = resource
    update(self, template, parameters)


ResourceMap.update = update_functions_first

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
